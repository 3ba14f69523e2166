"""Workflows deployed over three regions of a local cloud whose functions' calls pass through a fault proxy."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from builders import ROOT, placement_of
from faults import FaultProxy
from local_project import Project
from waiting import eventually

from caribou.control.aws import Aws
from caribou.control.runs.sweeper import SweeperFunction
from caribou.local import LocalCloud
from caribou.model.names import WorkflowNames
from caribou.model.project.workflow import read_workflow
from caribou.model.run.item import RunState
from caribou.model.run.order import RedriveOrder
from caribou.model.run.publication import RUN_ID_ATTRIBUTE
from caribou.runtime.aws import aws_ports
from caribou.runtime.settings import Settings

HERE = Path(__file__).resolve().parent
HOME, WEST, NORTH = REGIONS = ("us-east-1", "us-west-2", "ca-central-1")
STORM, SAMPLE, SIZES, CROWD = "storm", "small_sync_example", "sizes", "crowd"
PLACED = {
    STORM: {"left": NORTH, "right": WEST, "late": NORTH, "join": NORTH, "last": WEST},
    SAMPLE: {"second_function": WEST, "sync_function": NORTH, "second_sync_function": WEST},
    SIZES: {"keep": NORTH},
    CROWD: {"gather": NORTH},
}
"""Workflows, and where their functions are placed; all others are at home."""


@dataclass(eq=False)
class Deployed:
    """Workflows on a local cloud; `folder` is where chaos's own note their executions."""

    cloud: LocalCloud
    folder: Path
    root: Path

    @classmethod
    def over_three_regions(cls, cloud, root, *workflows):
        """A project in an empty folder, with its workflows deployed where PLACED says."""
        project, deployed = Project.in_folder(root, cloud), cls(cloud, root / "notes", root)
        (deployed.folder / "busy").mkdir(parents=True)
        for workflow in workflows:
            own = HERE / "workflows" / workflow
            folder = project.add_workflow(own if own.exists() else ROOT / "workflows" / workflow)
            manifest = folder / ".caribou" / "config.yml"
            manifest.write_text(manifest.read_text().replace("@folder@", str(deployed.folder)))
            deployed._place(workflow)
        project.deploy(*(f"Workflow-{workflow}" for workflow in workflows))
        return deployed

    def _place(self, workflow):
        definition, places = self.workflow(workflow), PLACED[workflow]
        moved = {n.name: places[n.function] for n in definition.graph.nodes if n.function in places}
        placement = placement_of(definition.graph, moved, HOME)
        (definition.folder / ".caribou" / "placement.json").write_text(json.dumps(placement.to_json()))

    @cache  # noqa: B019 - there are few, and they live as long as the tests
    def workflow(self, name):
        """The workflow as it is deployed."""
        return read_workflow(self.root / "workflows" / name)

    def settings(self, name):
        """A workflow's settings, as seen at home."""
        manifest, graph = self.workflow(name).manifest, self.workflow(name).graph
        return Settings(
            graph=graph,
            function=graph.entry.function,
            home_region=HOME,
            region=HOME,
            stage="dev",
            runs=manifest.runs,
        )

    @cache  # noqa: B019 - as above
    def ports(self, name):
        """A workflow's tables, queues and topics, in this process, past the proxy."""
        return aws_ports(self.settings(name), partition="aws", account=self.cloud.account)

    def redrive(self, name, run_id):
        """Order the deployed sweeper to redrive a run, as a person does; what it answered."""
        with Aws() as aws:
            return SweeperFunction(aws, name, HOME, self.sweeper_function(name)).carry_out(RedriveOrder(run_id))

    @cache  # noqa: B019 - as above
    def sweeper_function(self, name):
        """The deployed sweeper's name."""
        prefix = f"Workflow-{name.replace('_', '-')}-Sweeper"
        pages = self.cloud.client("lambda").get_paginator("list_functions").paginate()
        return next(
            f["FunctionName"] for page in pages for f in page["Functions"] if f["FunctionName"].startswith(prefix)
        )

    def sweep(self, name):
        """Invoke the deployed sweeper; what it counted, or the error that it ended with."""
        answer = self.cloud.client("lambda").invoke(FunctionName=self.sweeper_function(name), Payload=b"{}")
        return json.loads(answer["Payload"].read())

    def topic(self, name, function, region=HOME):
        """The ARN of a function's topic."""
        return f"arn:aws:sns:{region}:{self.cloud.account}:{WorkflowNames(name).topic(function)}"

    def start_topic(self, name):
        """The ARN of the topic to which clients publish."""
        return f"arn:aws:sns:{HOME}:{self.cloud.account}:{WorkflowNames(name).start_topic}"

    def start(self, name, payload, run_id):
        """Start a run under a name."""
        said = {RUN_ID_ATTRIBUTE: {"DataType": "String", "StringValue": run_id}}
        message = json.dumps(payload, ensure_ascii=False)
        self.cloud.client("sns").publish(TopicArn=self.start_topic(name), Message=message, MessageAttributes=said)

    def states(self, name):
        """All run items, by run."""
        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=WorkflowNames(name).run_table)
        return {item["run_id"]["S"]: item for page in pages for item in page["Items"]}

    def state(self, name, run_id):
        """A run's state; None if it has not begun."""
        item = self.ports(name).runs.get(run_id)
        return None if item is None else item.state

    def ended(self, name, run_id):
        """The state in which a run has ended, while the sweeper is called."""

        def look():
            self.sweep(name)
            state = self.state(name, run_id)
            return state if state not in (None, RunState.RUNNING) else None

        return eventually(look, f"the end of run {run_id}")

    def claims(self, name):
        """Claims of every region: (run, node, region) to the tries that were made under it."""
        found = {}
        for region in REGIONS:
            pages = self.cloud.client("dynamodb", region).get_paginator("scan")
            for page in pages.paginate(TableName=WorkflowNames(name).sync_table):
                for item in page["Items"]:
                    if item["part"]["S"] == "claim":
                        run, _, node = item["id"]["S"].partition("#")
                        tries = [int(value["N"]) for key, value in item.items() if key.startswith("tries_")]
                        found[run, node, region] = sum(tries)
        return found

    def lines(self, name):
        """Every line of JSON that the workflow's functions wrote to their logs."""
        for region in REGIONS:
            logs = self.cloud.client("logs", region)
            prefix = f"/aws/lambda/{WorkflowNames(name).function('')}"
            for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
                for event in (event for page in pages for event in page["events"]):
                    for line in event["message"].splitlines():
                        with contextlib.suppress(ValueError):
                            value = json.loads(line)
                            if isinstance(value, dict):
                                yield value

    def records(self, name):
        """The run records of a workflow."""
        return [line["caribou_record"] for line in self.lines(name) if "caribou_record" in line]

    def notes(self, run_id):
        """What storm's functions noted of a run, in order."""
        path = self.folder / f"{run_id}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextlib.contextmanager
def behind_a_proxy(root, *workflows):
    """Workflows of PLACED, deployed, and the proxy that their functions' calls pass through."""
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy.start())
        cloud = stack.enter_context(LocalCloud.start(root / "cloud", regions=REGIONS, settings=proxy.settings()))
        proxy.lead_to(cloud.endpoint)
        (root / "project").mkdir()
        yield Deployed.over_three_regions(cloud, root / "project", *workflows), proxy
