"""Every error that Caribou raises on purpose.

CaribouError                 root: catch this to catch all of them
├── InvalidInputError        something a user wrote is wrong; nothing was changed (exit code 2)
│   ├── InvalidManifestError     .caribou/config.yml
│   ├── InvalidWorkflowError     the workflow's source: its DAG can't be derived
│   ├── InvalidProblemError      problem.json
│   ├── InvalidPlacementError    solved.json
│   ├── InvalidRecordError       a run record or a file of them
│   └── InvalidPayloadError      a value that can't travel between nodes
├── AppRefusedError          the CDK app refuses the project, in its own words; nothing was deployed (exit code 2)
├── InvalidEnvelopeError     a message that is not an envelope that this version reads
├── UnreachableError         a region does not answer, or does not take what it is sent
├── UnknownRunError          a message of a run that never began here
├── InvalidRunItemError      an item of the run or a sync table that the runtime has not written so
├── InvalidOrderError        an order to a sweeper, or its answer, that this version does not read
└── OperationFailedError     a step outside our hands failed: a deploy, a tool, an AWS call (exit code 1)
    ├── SilentRegionError        a region does not answer us at all
    └── NotDeployedError         home has answered, and has nothing of the workflow
"""

from __future__ import annotations

LONGEST_FOUND = 2000
"""Characters of what an error shows of the value that was found, and of what it says of it."""


class CaribouError(Exception):
    """The root of all errors that Caribou raises on purpose."""

    exit_code = 1


class InvalidInputError(CaribouError):
    """Something that a user wrote is wrong: says what, where, the value found, and how to fix it."""

    exit_code = 2

    def __init__(self, what: str, *, where: str, found: object = None, fix: str) -> None:
        self.what, self.where, self.found, self.fix = what, where, found, fix
        found_text = "" if found is None else f" (found: {_cut(str(found))})"
        super().__init__(f"{where}: {_cut(what)}{found_text}. To fix: {_cut(fix)}.")


def _cut(text: str) -> str:
    """What is found may be a whole file; a message is to be read."""
    return text if len(text) <= LONGEST_FOUND else f"{text[:LONGEST_FOUND]}…"


class InvalidManifestError(InvalidInputError):
    """A manifest, `.caribou/config.yml`, is wrong."""


class InvalidWorkflowError(InvalidInputError):
    """The DAG can't be derived from a workflow's source, or breaks a limit."""


class InvalidProblemError(InvalidInputError):
    """A `problem.json` is wrong."""


class InvalidPlacementError(InvalidInputError):
    """A placement is wrong, expired, or belongs to another workflow or version."""


class InvalidRecordError(InvalidInputError):
    """A run record, or a file of them, is wrong."""


class InvalidPayloadError(InvalidInputError):
    """A value can't travel between nodes: it is neither JSON nor bytes."""


class AppRefusedError(CaribouError):
    """The project's CDK app refuses what a user wrote, in its own words; nothing was deployed."""

    exit_code = 2


class InvalidEnvelopeError(CaribouError):
    """A message is not an envelope, or one of a version that this code does not read."""


class UnreachableError(CaribouError):
    """A region could not be reached, or was too busy: home, or another time, can be tried instead."""


class UnknownRunError(CaribouError):
    """There is no run item: the message is of a run that never began here."""


class InvalidRunItemError(CaribouError):
    """An item of the run table is no run's, or one of a sync table no payload: somebody else has written it."""


class InvalidOrderError(CaribouError):
    """What a sweeper is ordered, or answers, is damaged, or of a version that this code does not read."""


class OperationFailedError(CaribouError):
    """A step outside our hands failed (a deploy, a tool, an AWS call): says which, and what to look at."""


class SilentRegionError(OperationFailedError):
    """A region does not answer: what else would be asked of it now would be waited for in vain."""


class NotDeployedError(OperationFailedError):
    """Home has answered: nothing of the workflow stands there, so there are no runs."""
