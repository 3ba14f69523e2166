"""The programming model: what a user's `app.py` imports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from caribou.model.errors import InvalidWorkflowError
from caribou.runtime.execution import Execution

F = TypeVar("F", bound=Callable[..., Any])
_NAME = "__caribou_function__"


class _Process:
    """What this process is running: one node at a time, since Lambda gives a process one request at a time."""

    execution: Execution | None = None


@contextmanager
def running(execution: Execution) -> Iterator[None]:
    """Let the programming model's calls refer to an execution, and to nothing once it is over."""
    _Process.execution = execution
    try:
        yield
    finally:
        _Process.execution = None


class CaribouWorkflow:
    """A workflow: a DAG of functions with one entry point.

    Its functions stay plain Python functions, so that a test can call them. The DAG is read out of the source when
    the workflow is synthesised (see docs/writing-workflows.md for what can be read); nothing here builds it.
    """

    def __init__(self, name: str, version: str) -> None:
        self.name = name
        self.version = version

    def serverless_function(
        self,
        name: str | None = None,
        entry_point: bool = False,  # noqa: FBT001, FBT002 - the reference system's signature
        regions_and_providers: Mapping[str, Any] | None = None,
        environment_variables: Sequence[Mapping[str, str]] | None = None,
        allow_placement_decision_override: bool = False,  # noqa: FBT001, FBT002 - the reference system's signature
    ) -> Callable[[F], F]:
        """Register a function at the top level of `app.py` or of a module beside it, under a name of its own.

        `regions_and_providers` and `environment_variables` override the manifest's sections of those names; they are
        read from the source and must be literals. `allow_placement_decision_override` is accepted for the reference
        system's workflows, and not used: a run's placement is none of its payload's business.
        """
        del entry_point, regions_and_providers, environment_variables  # synth reads them from the source
        del allow_placement_decision_override

        def register(function: F) -> F:
            setattr(function, _NAME, name or function.__name__)
            return function

        return register

    def invoke_serverless_function(
        self,
        function: Callable[..., Any],
        payload: Any = None,  # noqa: ANN401 - any JSON value or bytes
        conditional: bool = True,  # noqa: FBT001, FBT002 - the reference system's signature
    ) -> None:
        """Call a registered function with a payload, if the condition holds.

        The payload is taken as it is now: later changes to it are not seen. Raises InvalidPayloadError for a payload
        that is neither JSON nor bytes.
        """
        self._execution().call(getattr(function, _NAME, repr(function)), payload, conditional=bool(conditional))

    def get_predecessor_data(self) -> list[Any]:
        """The payloads that reached this sync node, one for each edge that was taken, in the order of the edges."""
        return self._execution().predecessor_data()

    def get_run_id(self) -> str:
        """The id of this run: the same in all its nodes and attempts."""
        return self._execution().run_id

    def get_caribou_metadata(self) -> dict[str, Any]:
        """What the reference system reports of an execution: `run_id`, `current_region`, `cpu_model` and more.

        A registered function with a second parameter that has no default gets the same there.
        """
        return self._execution().metadata()

    def _execution(self) -> Execution:
        if _Process.execution is None:
            raise InvalidWorkflowError(
                "a workflow's calls work in a run only",
                where=f"workflow {self.name}",
                fix="call it in a deployed function; in a test, test the functions that it is made of",
            )
        return _Process.execution
