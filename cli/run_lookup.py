"""Which run is meant by what somebody wrote: its whole id, or the beginning of one; and of which workflow it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caribou.cli.output import notify
from caribou.cli.session import Session
from caribou.control.runs.runs import RunItem, Runs
from caribou.model.errors import InvalidInputError, NotDeployedError, OperationFailedError
from caribou.model.project.workflow import Workflow, workflow_folders
from caribou.model.run.fields import is_run_name

_SHOWN = 10
"""How many runs are named, if a beginning is that of several."""


@dataclass(frozen=True)
class Found:
    """A run, and the workflow that it is of."""

    workflow: Workflow
    runs: Runs
    item: RunItem

    @property
    def run_id(self) -> str:
        """The run's whole id."""
        return self.item.run.run_id


def found_run(written: str, workflow: str | None, here: Session) -> Found:
    """The run of that id, else the only one whose id begins so, in the workflow named, or in all of the project.

    Raises InvalidInputError; OperationFailedError if it is found nowhere, and a workflow does not answer.
    """
    if not is_run_name(written):
        raise InvalidInputError("is no name of a run", where="RUN", found=ascii(written)[:80], fix="see `caribou runs`")
    search = _Search(here, workflow is not None)
    definitions, broken = _looked_in(workflow, here)
    for definition in definitions:
        search.whole(definition, written)
    if not search.found:
        for definition in definitions:
            search.beginning(definition, written)
    unanswered = {"not deployed": search.absent, "can't be read": broken}
    return _only(search, written, [definition.name for definition in definitions], unanswered)


@dataclass
class _Search:
    """What was found so far. A workflow that does not answer is passed over, unless it `is_named`.

    `silent` has why, by the name: a run that is found nowhere may be there. None is in what is `absent`, not deployed.
    """

    here: Session
    is_named: bool
    found: list[Found] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    silent: dict[str, OperationFailedError] = field(default_factory=dict)

    def whole(self, definition: Workflow, run_id: str) -> None:
        """Look for the run of that id in a workflow."""
        runs = self.here.runs_of(definition)
        try:
            item = runs.state(run_id)
        except OperationFailedError as error:
            if self.is_named:
                raise
            if isinstance(error, NotDeployedError):
                self.absent.append(definition.name)
            else:
                self.silent[definition.name] = error
            return
        if item is not None:
            self.found.append(Found(definition, runs, item))

    def beginning(self, definition: Workflow, prefix: str) -> None:
        """Look for runs whose ids begin so in a workflow that has answered."""
        if definition.name in (*self.absent, *self.silent):
            return
        runs = self.here.runs_of(definition)
        try:
            listing = runs.beginning_with(prefix, _SHOWN + 1)
        except OperationFailedError as error:  # the run table may be read, and not be searched
            notify(f"warning: a beginning of an id is not looked for: {error}")
            return
        if not listing.is_complete:
            notify(f"warning: {definition.name} has too many runs to look at all: give the whole id")
        self.found += [Found(definition, runs, item) for item in listing.items]


def _looked_in(workflow: str | None, here: Session) -> tuple[Sequence[Workflow], Sequence[str]]:
    """The workflows in which a run is looked for, and the names of those that are broken: no warning is hidden."""
    if workflow is not None:
        return [here.workflow(workflow)], []
    definitions, broken = here.read_each(workflow_folders(here.root))
    return definitions, list(broken)


def _only(search: _Search, written: str, known: Sequence[str], unanswered: Mapping[str, Sequence[str]]) -> Found:
    found = search.found
    if len(found) == 1:
        return found[0]
    if found and len({one.run_id for one in found}) == 1:
        raise InvalidInputError(
            "several workflows have a run of that name",
            where=f"run {found[0].run_id}",
            found=", ".join(one.workflow.name for one in found),
            fix="name one with --workflow",
        )
    if found:
        raise InvalidInputError(
            "several runs begin so", where=f"run {written}", found=_named(found), fix="write more of the id"
        )
    if search.silent:
        raise OperationFailedError(f"Run {written} is not known: {'; '.join(map(str, search.silent.values()))}")
    fix = f"see `caribou runs`; looked for in {', '.join(known) or 'no workflow'}"
    more = "".join(f"; {why}: {', '.join(names)}" for why, names in unanswered.items() if names)
    raise InvalidInputError("there is no such run", where=f"run {written}", fix=fix + more)


def _named(found: Sequence[Found]) -> str:
    shown = [f"{one.run_id} of {one.workflow.name}, {one.item.state}" for one in found[:_SHOWN]]
    return "; ".join([*shown, "and others"] if len(found) > _SHOWN else shown)
