"""Every benchmark workflow on the local cloud, at home and split over three regions, with equal outputs.

    uv run benchmarks/workflows.py              # all nine
    uv run benchmarks/workflows.py map_reduce   # some
    uv run benchmarks/workflows.py --write      # and note what was seen in docs/benchmark-workflows.md and .json

In a local cloud of its own that enforces IAM, each workflow is deployed with `cdk deploy` at home and runs all its
sample inputs, `input.json` twice; then it is moved by `cdk deploy -c placement=FILE`, and runs them again. Exits with 1
unless every run succeeds where the placement says, and the runs of a sample leave the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path

import boto3

from caribou.cli.cdk_run import run_cdk
from caribou.cli.project import control_region, stage
from caribou.cli.samples import Samples
from caribou.control.aws import Aws
from caribou.control.runs.runs import RunItem, Runs, RunState
from caribou.control.runs.trace import trace_of
from caribou.local.cloud import LocalCloud
from caribou.local.tools import cdk_env
from caribou.model.errors import CaribouError
from caribou.model.placement import PLACEMENT_SCHEMA
from caribou.model.project.workflow import Workflow, read_workflow, workflow_folders
from caribou.model.run.record import RunRecord
from caribou.runtime.placement import share_of

ROOT = Path(__file__).resolve().parents[1]
SEEN = ROOT / "docs" / "benchmark-workflows.json"
PAGE = ROOT / "docs" / "benchmark-workflows.md"
NINE = (
    *("dna_visualization", "fem_simulation", "image_processing", "map_reduce", "markdown_to_html"),
    *("rag_data_ingestion", "small_sync_example", "text_2_speech_censoring", "video_analytics"),
)
"""The benchmark workflows; others in workflows/ are a user's own, and are run if they are named."""
REGIONS = ("us-east-1", "us-west-2", "ca-central-1")
"""Where workflows are split over, as far as their manifests allow it."""
ARCHITECTURES = ("x86_64", "arm64")
_BEGIN, _END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
SAMPLE = "input.json"
_LIMIT_S = 900.0
"""How long to wait for a run's end, and for its records after that, before it is taken for lost."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a workflow: sizes in bytes, times in seconds; of a run where not said otherwise.

    `digest` is that of the workflow's folder when it was run. `bundle_bytes` is by architecture, `seconds` and
    `cold_seconds` by placement (`home`, `split`): the second run's, and the first's. `away_bytes` is what of
    `payload_bytes` and `external_bytes` went from one region into another in the split run.
    """

    digest: str
    nodes: int
    edges: int
    conditional: int
    sync: int
    bundle_bytes: Mapping[str, int]
    payload_bytes: int
    external_bytes: int
    away_bytes: int
    output_bytes: int
    cpu_seconds: float
    seconds: Mapping[str, float]
    cold_seconds: Mapping[str, float]
    regions: Sequence[str]


@dataclass(frozen=True)
class Ran:
    """One run of a sample that succeeded: its records, seconds, and what it left, by name."""

    sample: str
    records: tuple[RunRecord, ...]
    seconds: float
    outputs: Mapping[str, bytes]


def digest_of(folder: Path) -> str:
    """SHA-256 of a workflow's folder: all its files but documentation and what tools leave behind."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in {".md", ".pyc"} and path.name != "placement.json":
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def regions_of(workflow: Workflow) -> tuple[str, ...]:
    """The three regions over which it is split, home last."""
    home, allowed = workflow.manifest.home_region, workflow.regions
    preferred = dict.fromkeys(region for region in (*REGIONS, *allowed) if region in allowed and region != home)
    return (*list(preferred)[:2], home)


def split(workflow: Workflow) -> dict[str, str]:
    """Node to region: the nodes go around the three regions, the first one away from home, where they may."""
    home, around = workflow.manifest.home_region, cycle(regions_of(workflow))
    return {
        node.name: region if node.function in workflow.functions_in(region) else home
        for node, region in zip(workflow.graph.nodes, around, strict=False)
    }


def seen_of(folder: Path) -> Seen:
    """Run a workflow's samples at home and split. Raises AssertionError if a run is not as it should be."""
    workflow = read_workflow(folder)
    home = workflow.manifest.home_region
    with Aws() as aws:
        samples = Samples(workflow, aws.account(home))
        samples.upload(aws.s3(home))
    graph, placed = workflow.graph, split(workflow)
    with tempfile.TemporaryDirectory() as temporary:
        runs = {"home": _deployed_and_run(samples, {}, Path(temporary, "home"))}
        runs["split"] = _deployed_and_run(samples, placed, Path(temporary, "split"))
    first = runs["home"][0]
    for ran in (*runs["home"], *runs["split"]):
        same = next(other for other in runs["home"] if other.sample == ran.sample)
        assert ran.outputs == same.outputs, f"{ran.sample}: outputs differ: {_difference(ran, same)}"
    measured, away = runs["home"][1], runs["split"][1]
    return Seen(
        digest=digest_of(folder),
        nodes=len(graph.nodes),
        edges=len(graph.edges),
        conditional=sum(edge.conditional for edge in graph.edges),
        sync=sum(node.sync for node in graph.nodes),
        bundle_bytes={architecture: _bundle_bytes(workflow, architecture) for architecture in ARCHITECTURES},
        payload_bytes=sum(record.bytes_out for record in measured.records),
        external_bytes=sum(record.external_bytes for record in measured.records),
        away_bytes=_away_bytes(workflow, away.records),
        output_bytes=sum(len(content) for content in first.outputs.values()),
        cpu_seconds=round(sum(record.cpu_s for record in measured.records), 2),
        seconds={name: round(both[1].seconds, 2) for name, both in runs.items()},
        cold_seconds={name: round(both[0].seconds, 2) for name, both in runs.items()},
        regions=sorted({record.region for record in away.records}),
    )


def _deployed_and_run(samples: Samples, placed: Mapping[str, str], folder: Path) -> list[Ran]:
    """Deploy the workflow, at home but for the nodes placed elsewhere; run `input.json` twice, other samples once."""
    workflow, chosen = samples.workflow, "home"
    folder.mkdir()
    if placed:
        placement = folder / "placement.json"
        placement.write_text(json.dumps(placement_of(workflow, placed)), encoding="utf-8")
        chosen = str(placement)
    arguments = [f"Workflow-{workflow.name}", "-c", f"workflow={workflow.name}", "-c", f"placement={chosen}"]
    arguments += ["--require-approval", "never", "--concurrency", "4", "--output", str(folder / "cdk.out")]
    run_cdk(["deploy", *arguments], root=ROOT, log=folder / "cdk.log")
    others = sorted(path.name for path in samples.folder.glob("input_*.json"))
    return [_run(samples, name, placed) for name in (SAMPLE, SAMPLE, *others)]


def placement_of(workflow: Workflow, regions: Mapping[str, str]) -> dict[str, object]:
    """A placement file's content, the same for every hour."""
    return {
        "schema": PLACEMENT_SCHEMA,
        "workflow": workflow.name,
        "workflow_version": workflow.graph.version,
        "home_region": workflow.manifest.home_region,
        "expires_at": "2999-01-01T00:00:00Z",
        "plans": [{"hours": list(range(24)), "regions": dict(regions)}],
    }


def _run(samples: Samples, name: str, placed: Mapping[str, str]) -> Ran:
    """Run a sample; every node that ran was where it is placed, or at home."""
    workflow, home = samples.workflow, samples.workflow.manifest.home_region
    runs = Runs(workflow.graph, workflow.manifest, stage(ROOT), samples.account)
    item = runs.wait(runs.start(samples.payload(name), _follower(workflow)), limit_s=_LIMIT_S)
    run_id = item.run.run_id
    assert item.state is RunState.SUCCEEDED, f"{name}: run {run_id} failed at {item.failed_node}: {item.error}"
    records = tuple(record for record in _records(runs, item) if not record.redirect)
    for record in records:
        assert record.region == placed.get(record.node, home), f"{record.node} ran in {record.region}"
    return Ran(name, records, item.seconds or 0.0, _outputs(workflow, samples, item))


def _follower(workflow: Workflow) -> str:
    """A run id that is not of the share that stays at home whatever the placement says."""
    while True:
        run_id = uuid.uuid4().hex
        if share_of(run_id) >= workflow.manifest.runs.home_share:
            return run_id


def _records(runs: Runs, item: RunItem) -> tuple[RunRecord, ...]:
    evidence = runs.evidence(item, settle_s=_LIMIT_S)
    unsettled = f"run {item.run.run_id} left no record of some node in {_LIMIT_S:.0f} s"
    assert trace_of(evidence).is_settled, unsettled
    return evidence.records


def _outputs(workflow: Workflow, samples: Samples, item: RunItem) -> dict[str, bytes]:
    """What the run left: its objects in S3, or, of a workflow without a bucket, what its leaves returned."""
    if not samples.objects():
        assert item.results, f"{workflow.name}: its leaves returned nothing"
        return {leaf: text.encode() for leaf, text in item.results.items()}
    found = objects_of(samples, item.run.run_id)
    assert found, f"{workflow.name}: run {item.run.run_id} put no objects into its buckets"
    return found


def objects_of(samples: Samples, run_id: str) -> dict[str, bytes]:
    """The objects that a run left in the samples' buckets, below `output/<run id>/`, by the rest of their keys."""
    s3 = boto3.client("s3", region_name=samples.workflow.manifest.home_region)
    pages, prefix = s3.get_paginator("list_objects_v2"), f"output/{run_id}/"
    return {
        entry["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        for bucket in sorted({entry.bucket for entry in samples.objects()})
        for page in pages.paginate(Bucket=bucket, Prefix=prefix)
        for entry in page.get("Contents", [])
    }


def _away_bytes(workflow: Workflow, records: Sequence[RunRecord]) -> int:
    """Payloads to another region, and what functions away from home moved, for the workflows' buckets are at home."""
    payloads = sum(
        successor.payload_bytes
        for record in records
        for successor in record.successors
        if successor.region not in (None, record.region)
    )
    home = workflow.manifest.home_region
    return payloads + sum(record.external_bytes for record in records if record.region != home)


def _difference(one: Ran, other: Ran) -> str:
    names = sorted(name for name in {*one.outputs, *other.outputs} if one.outputs.get(name) != other.outputs.get(name))
    return ", ".join(names)


def _bundle_bytes(workflow: Workflow, architecture: str) -> int:
    """The size of the bundle for Lambda. Raises InvalidInputError if that is more than Lambda takes."""
    from caribou.constructs.bundle import size_bytes, workflow_bundle  # noqa: PLC0415 - starts Node.js, found first
    from caribou.constructs.bundling.target_platform import Platform  # noqa: PLC0415

    bundle = workflow_bundle(workflow.folder, Platform(architecture, workflow.manifest.python_version, host=False))
    return size_bytes(replace(bundle, lock=bundle.packages.resolved()).build())  # for either architecture


@contextmanager
def cloud(workflows: Sequence[Workflow]) -> Iterator[None]:
    """A local cloud where functions may do what their policies allow, no more; its peaks are printed at the end."""
    folder = tempfile.TemporaryDirectory(prefix="caribou-benchmark-")
    regions = sorted({control_region(ROOT), *(region for workflow in workflows for region in regions_of(workflow))})
    with folder as state, LocalCloud.start(Path(state), regions=regions, enforce_iam=True) as own:
        peaks = Peaks(own)
        with own.environment():
            yield
        print(peaks)


class Peaks:
    """The most memory and disk that the local cloud took, looked at every second in the background."""

    def __init__(self, of: LocalCloud) -> None:
        self._cloud = of
        self.processes = self.memory_bytes = self.disk_bytes = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def __str__(self) -> str:
        memory, disk = self.memory_bytes / 1e9, self.disk_bytes / 1e9
        return f"At most {self.processes} processes with {memory:.1f} GB of memory, {disk:.1f} GB of disk."

    def _watch(self) -> None:
        while True:
            sizes = list(self._memory())
            self.processes = max(self.processes, len(sizes))
            self.memory_bytes = max(self.memory_bytes, sum(sizes))
            self.disk_bytes = max(self.disk_bytes, _disk_bytes(self._cloud.state))
            time.sleep(1.0)

    def _memory(self) -> Iterator[int]:
        """Resident bytes of each process in the server's process group."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(folder.name)) == self._cloud.pid:
                    yield int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue  # it has just ended


def _disk_bytes(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += Path(parent, name).lstat().st_size
            except OSError:
                continue  # it has just been removed
    return total


def table(seen: Mapping[str, Seen]) -> str:
    """What was seen, as a Markdown table."""
    columns = "workflow, nodes, edges (conditional), sync, bundles, payloads, S3, of it away, output, CPU, "
    columns += "home: first, then, split: first, then, regions"
    heads = columns.split(", ")
    rows = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 2)}---|"]
    for name, found in sorted(seen.items()):
        cells = (
            f"[{name}](../workflows/{name})",
            found.nodes,
            f"{found.edges} ({found.conditional})",
            found.sync,
            " / ".join(f"{found.bundle_bytes[architecture] / 1e6:.0f} MB" for architecture in ARCHITECTURES),
            *(
                _size(size)
                for size in (found.payload_bytes, found.external_bytes, found.away_bytes, found.output_bytes)
            ),
            f"{found.cpu_seconds:.1f} s",
            *(f"{times[where]:.1f} s" for where in ("home", "split") for times in (found.cold_seconds, found.seconds)),
            ", ".join(found.regions),
        )
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows) + "\n"


def _size(size: int) -> str:
    if not size:
        return "0"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} KB"


def noted() -> dict[str, Seen]:
    """What was written down last."""
    return {name: Seen(**found) for name, found in json.loads(SEEN.read_text(encoding="utf-8")).items()}


def write(seen: Mapping[str, Seen]) -> None:
    """Write down what was seen of benchmark workflows, beside what is there of others."""
    before = noted() if SEEN.exists() else {}
    together = {name: found for name, found in sorted({**before, **seen}.items()) if name in NINE}
    SEEN.write_text(json.dumps({name: asdict(f) for name, f in together.items()}, indent=2) + "\n", encoding="utf-8")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    tail = rest.partition(_END)[2]
    PAGE.write_text(f"{head}{_BEGIN}{table(together)}{_END}{tail}", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; the exit code."""
    folders = {folder.name: folder for folder in workflow_folders(ROOT)}
    parser = argparse.ArgumentParser(description="Run the benchmark workflows at home and split over three regions.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(folders)}; by default the nine benchmark workflows"
    )
    parser.add_argument("--write", action="store_true", help="note what was seen in docs/")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(folders):
        parser.error(f"there is no workflow {', '.join(sorted(unknown))}")
    os.environ.update(cdk_env(os.environ))
    seen, failed = {}, False
    names = chosen.names or NINE
    with cloud([read_workflow(folders[name]) for name in names]):
        for name in names:
            began = time.monotonic()
            try:
                seen[name] = seen_of(folders[name])
            except (AssertionError, CaribouError) as error:
                failed = True
                print(f"{name}: {error}", flush=True)
            else:
                where = ", ".join(seen[name].regions)
                print(f"{name}: equal outputs at home and in {where} ({time.monotonic() - began:.0f} s)", flush=True)
    print(table(seen))
    if chosen.write and not failed:
        write(seen)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
