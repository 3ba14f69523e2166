"""What the verbs share that talk to AWS: the project that the user is in, where it is deployed, and who is asked there.

    with session() as here:
        for known in here.chosen("video_analytics"):
            ...

Its clients are closed at the end of the `with`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from caribou.cli.environment import environment_of
from caribou.cli.output import notify
from caribou.cli.project import context_text, project_root, settings, workflow_folder
from caribou.collectors.collection_report import CollectionReport
from caribou.collectors.facts import DynamoFactTable
from caribou.collectors.log_collection import LogCollection, collect_logs
from caribou.collectors.log_readers import log_reader
from caribou.collectors.logs import CloudWatchLogReader
from caribou.collectors.records import NEWEST_RECORDS, DynamoRecordTable
from caribou.collectors.registrations import SsmRegistry, registered
from caribou.control.aws import Aws, aws_errors_as, out_of_reach
from caribou.control.log_collection import RecordCollector, function_names
from caribou.control.runs.archive import RecordArchive
from caribou.control.runs.evidence import SCAN_ITEMS
from caribou.control.runs.runs import Runs
from caribou.control.runs.sweeper import SweeperFunction, too_old
from caribou.control.runs.unrecorded import RecordCheck
from caribou.control.stacks.deployed import DeployedStack, home_stack, resources
from caribou.control.stacks.stateful import ResourceType
from caribou.control.target import DEFAULT_QUALIFIER, QUALIFIER_KEY, Target
from caribou.control.workflows import KnownWorkflow, known_workflows, read_each
from caribou.model.errors import CaribouError, InvalidInputError
from caribou.model.log_reader import LogReading
from caribou.model.project.workflow import Workflow, read_workflow, workflow_folders
from caribou.model.registration import ControlNames, Registration
from caribou.model.schema.nearest import near
from caribou.model.template_contract import Output


class ControlPlane:
    """The control plane of a project: its tables and registry, and the reader of logs that the project has chosen."""

    def __init__(self, target: Target, reading: LogReading = LogReading.FILTER) -> None:
        self.region, self.stage, self._reading = target.control_region, target.stage, reading
        names = ControlNames(self.stage)
        self.facts = DynamoFactTable(names.fact_table, self.region)
        self.records = DynamoRecordTable(names.record_table, self.region)
        self.registry = SsmRegistry(self.stage, self.region)

    def collect_logs(self, registration: Registration) -> CollectionReport:
        """Read what is new in a workflow's logs."""
        logs, now_s = log_reader(self._reading, self.stage, self.region), datetime.now(UTC).timestamp()
        return collect_logs(registration, LogCollection(logs, self.records, now_s, self.stage))

    def aws_errors_as(self, doing: str) -> AbstractContextManager[None]:
        """Turn failures of AWS's API into OperationFailedError: what was being done here, and what to look at."""
        look_at = "whether credentials are there, and whether CaribouControlPlane is deployed"
        return aws_errors_as(f"{doing} in the control region {self.region}", look_at)


@dataclass(frozen=True)
class Session:
    """The project in the folder `root`, where it is deployed, and AWS's clients."""

    root: Path
    target: Target
    aws: Aws

    @property
    def control_answers(self) -> bool:
        """Whether the control region says what is registered."""
        return self._registered is not None

    def workflow(self, name: str) -> Workflow:
        """A workflow of the project, as it is at this stage. Raises CaribouError if there is none, or it is broken."""
        return read_workflow(workflow_folder(name, self.root), self.target.stage)

    def runs_of(self, workflow: Workflow) -> Runs:
        """The runs of a workflow of the project."""
        account = self.aws.account(workflow.manifest.home_region)
        stage, region = self.target.stage, self.target.control_region
        archive = RecordArchive(ControlNames(stage).record_table, region)
        return Runs(workflow.graph, workflow.manifest, stage, account, self.aws, archive)

    def sweeper_of(self, workflow: Workflow) -> SweeperFunction:
        """The deployed sweeper of a workflow, which carries orders out. Raises OperationFailedError."""
        home = workflow.manifest.home_region
        stack = home_stack(self.aws, workflow.name, self.target.stage, home)
        function = None if stack is None else stack.outputs.get(Output.SWEEPER)
        if function is None:
            raise too_old(workflow.name, home, f"its stack has no output {Output.SWEEPER}")
        return SweeperFunction(self.aws, workflow.name, home, function)

    def known_workflows(self) -> tuple[KnownWorkflow, ...]:
        """The workflows of the project and of the registry. What is broken is a warning, and keeps no other."""
        workflows, broken = self.read_each(workflow_folders(self.root))
        return known_workflows(workflows, self._registrations(), broken)

    def read_each(self, folders: Iterable[Path]) -> tuple[list[Workflow], dict[str, CaribouError]]:
        """The workflows in these folders, and which of them are broken, with a warning for each."""
        workflows, broken = read_each(folders, self.target.stage)
        for name, error in broken.items():
            notify(f"warning: {name} is passed over, since it can't be read: {error}")
        return workflows, broken

    def named(self, name: str) -> KnownWorkflow | None:
        """The workflow of that name, here or registered, and no other is looked at; None if there is none.

        It may be `broken`.
        """
        folders = [folder for folder in workflow_folders(self.root) if folder.name in spellings(name)]
        workflows, broken = read_each(folders, self.target.stage)
        registrations = [one for one in self._registrations() if one.workflow in spellings(name)]
        return named(name, known_workflows(workflows, registrations, broken))

    def chosen(self, name: str | None) -> Sequence[KnownWorkflow]:
        """The workflow that is named, or all that are not broken.

        Raises InvalidInputError if there is none of that name, and for the named one why it is broken.
        """
        if name is None:
            return [known for known in self.known_workflows() if known.broken is None]
        found = self.named(name)
        if found is None:
            names = {folder.name for folder in workflow_folders(self.root)}
            names.update(one.workflow for one in self._registrations())
            raise InvalidInputError(
                "there is no such workflow, here or registered",
                where=name,
                fix=near(name, sorted(names)),
            )
        if found.broken is not None:
            raise found.broken
        return [found]

    def log_collection(self) -> RecordCollector:
        """Log collection into the control plane's record table."""
        table = DynamoRecordTable(ControlNames(self.target.stage).record_table, self.target.control_region)
        return RecordCollector(CloudWatchLogReader(), table, self.target.stage, self._functions_of)

    def record_check(self, newest: int = NEWEST_RECORDS, scan_items: int = SCAN_ITEMS) -> RecordCheck:
        """What looks for runs without records, by the newest records and about so many run items."""
        table = DynamoRecordTable(ControlNames(self.target.stage).record_table, self.target.control_region)
        return RecordCheck(self.aws, table, newest, scan_items)

    def _registrations(self) -> Sequence[Registration]:
        """The registrations. A broken one is a warning, and so is a control region that does not answer."""
        return self._registered or ()

    @cached_property
    def _registered(self) -> Sequence[Registration] | None:
        """What the control region says, which is asked once; None if it does not answer."""
        region = self.target.control_region
        with aws_errors_as(f"Reading the registrations in {region}"):
            try:
                registrations, wrong = registered(SsmRegistry(self.target.stage, region, self.aws.ssm(region)))
            except (ClientError, BotoCoreError) as error:
                if (why := out_of_reach(error)) is None:
                    raise
                notify(f"warning: not known which workflows are registered: {region} ({why})")
                return None
        for message in wrong:
            notify(f"warning: {message}")
        return registrations

    def _functions_of(self, stack: DeployedStack) -> Sequence[str]:
        groups = resources(self.aws, stack, ResourceType.LOG_GROUP)
        return function_names(self.target.names(stack.workflow), groups)


def named(name: str, known: Sequence[KnownWorkflow]) -> KnownWorkflow | None:
    """The workflow of that name, in which hyphens stand for underscores; None if there is none."""
    return next((one for one in known if one.name in spellings(name)), None)


def spellings(name: str) -> tuple[str, ...]:
    """A name, and the one that it means if its hyphens stand for underscores."""
    return name, name.replace("-", "_")


def target_of(root: Path) -> Target:
    """Where the project in a folder is deployed."""
    said, qualifier = settings(root), context_text(root, QUALIFIER_KEY, DEFAULT_QUALIFIER)
    return Target(said.stage, said.control_region, qualifier, said.project_id)


@contextmanager
def session(root: Path | None = None) -> Iterator[Session]:
    """A session in a project, by default the one that the user is in; its clients are closed at its end.

    Raises InvalidInputError if the credentials are of another account than the stage's.
    """
    root = project_root() if root is None else root
    with environment_of(settings(root)) as aws:
        yield Session(root, target_of(root), aws)


def control_plane(root: Path) -> ControlPlane:
    """The control plane of the project in a folder. Raises InvalidInputError as `session` does."""
    said = settings(root)
    with environment_of(said):
        return ControlPlane(target_of(root), said.log_reader)
