"""What all benchmark workflows have in common: pins, manifest, policy, orders, keys and samples; a row for each."""

import fnmatch
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest

from caribou.model.regions import KNOWN_REGIONS
from caribou.model.schema.manifest import read_manifest
from caribou.model.source.derive import derive_graph

WORKFLOWS = Path(__file__).parents[2] / "workflows"
MEASURED = Path(__file__).parents[2] / "docs" / "benchmark-workflows.json"
THREE_REGIONS = ("us-east-1", "us-west-2", "ca-central-1")
FOUR_REGIONS = ("us-east-1", "us-east-2", "us-west-2", "ca-central-1")
IN_AND_OUT = {"GetObject": {"input"}, "PutObject": {"output"}}
WITH_WORK = {"GetObject": {"input", "work"}, "PutObject": {"work", "output"}}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What differs between the workflows. One without a topic has no bucket, and so no policy and no orders."""

    limits: Mapping[str, float]
    """The manifest's hard constraints, in per cent of the same at home."""
    home: str = "us-east-1"
    regions: tuple[str, ...] = FOUR_REGIONS
    memory_mb: int = 1769
    region_variable: str | None = None
    """Where an order finds its region if it has none."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The manifest's other variables."""
    samples: Mapping[str, str | None]
    """For each sample input, the file that it leads to, if it leads to one."""
    largest_sample: int = 300_000
    topic: str | None = None
    """What the buckets' names say of what is in them."""
    prefixes: Mapping[str, set[str]] = field(default_factory=dict)
    """By action, below which prefixes of the buckets it is allowed."""
    order: str = "Order"
    """The class of its orders."""
    sources: tuple[str, ...] = ("key",)
    """Where an order says what to work on; one of them is enough."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The order's other values, if they are not given."""
    handed_on: Mapping[str, Any] = field(default_factory=dict)
    """Other values than these, if orders are sent from function to function and read there as events are."""
    work_keys: tuple[str, ...] = ()
    """What makes the keys of that which functions leave for each other, besides `result_key`."""

    @property
    def bucket(self):
        """The bucket of the samples."""
        return f"caribou-dev-{self.topic}-123456789012-{self.home}"


ROWS = {
    "dna_visualization": Row(
        limits={"cost": 120, "runtime": 150},
        region_variable="GENOMES_REGION",
        variables={"MPLBACKEND": "Agg", "MPLCONFIGDIR": "/tmp/caribou-matplotlib"},
        samples={"input.json": "chloroplast.gb.gz", "input_light.json": "plasmid.gb"},
        topic="genomes",
        prefixes=IN_AND_OUT,
        defaults={"lines": 4, "types": None, "formats": ("svg",), "dpi": 100},
    ),
    "fem_simulation": Row(
        limits={"cost": 110, "runtime": 200},
        regions=THREE_REGIONS,
        region_variable="FEM_REGION",
        variables={"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"},
        samples={"input.json": "smooth.json", "input_patch.json": "linear.json"},
        topic="fem",
        prefixes=WITH_WORK,
        order="Task",
        defaults={"cells": 400, "parts": 4, "via": "payload", "stride": 8, "verify": True},
        handed_on={"cells": 24, "parts": 3, "via": "bucket", "stride": 2, "verify": False},
    ),
    "image_processing": Row(
        limits={"cost": 120, "runtime": 150},
        home="eu-central-1",
        regions=("eu-central-1", "eu-west-1", "eu-west-3"),
        region_variable="PHOTOS_REGION",
        samples={"input.json": "photo_small.jpg", "input_light.json": "photo.png"},
        largest_sample=500_000,
        topic="photos",
        prefixes=IN_AND_OUT,
        defaults={"transformations": ("flip", "rotate", "blur", "greyscale", "resize"), "passes": 8},
        handed_on={"transformations": ["blur"], "passes": 3},
    ),
    "map_reduce": Row(
        limits={"cost": 110, "runtime": 150},
        region_variable="WORDS_REGION",
        samples={
            "input.json": "genesis.txt",
            "input_light.json": "genesis.txt",
            "input_large.json": "many_words.txt",
        },
        largest_sample=800_000,
        topic="words",
        prefixes=WITH_WORK,
        defaults={"via": "s3", "mappers": 6, "reducers": 4, "part_bytes": 4 * 2**20, "copies": 1},
        handed_on={"via": "payload", "mappers": 2, "reducers": 3, "part_bytes": 4, "copies": 5},
        work_keys=("work_key",),
    ),
    "markdown_to_html": Row(
        limits={"cost": 105, "runtime": 110},
        regions=THREE_REGIONS,
        memory_mb=512,
        region_variable="PAGES_REGION",
        samples={"input.json": None, "input_large.json": "readme.md"},
        topic="pages",
        prefixes=IN_AND_OUT,
        sources=("text", "key"),
        defaults={"title": None},
    ),
    "rag_data_ingestion": Row(
        limits={"cost": 110, "runtime": 200},
        region_variable="DOCUMENTS_REGION",
        variables={"OPENBLAS_NUM_THREADS": "1"},
        samples={"input.json": "handbook.pdf", "input_light.json": "leaflet.pdf"},
        topic="documents",
        prefixes=WITH_WORK,
        defaults={"chunk_words": 120, "overlap_words": 30, "parts": 4},
        handed_on={"chunk_words": 50, "overlap_words": 0, "parts": 2},
        work_keys=("chunks_key",),
    ),
    "small_sync_example": Row(
        limits={"runtime": 200}, regions=THREE_REGIONS, memory_mb=512, samples={"input.json": None}
    ),
    "text_2_speech_censoring": Row(
        limits={"cost": 110, "runtime": 125},
        region_variable="SPEECH_REGION",
        samples={"input.json": "log.txt", "input_long.json": "long_log.txt", "input_clean.json": None},
        topic="speech",
        prefixes=WITH_WORK,
        sources=("text", "key"),
        defaults={"words_per_minute": 175, "bleep": "tone"},
        work_keys=("work_key",),
    ),
    "video_analytics": Row(
        limits={"cost": 110, "runtime": 200},
        region_variable="CLIPS_REGION",
        variables={"OPENBLAS_NUM_THREADS": "1"},
        samples={"input.json": "clip.mp4", "input_light.json": "clip.mp4"},
        topic="clips",
        prefixes=WITH_WORK,
        defaults={"parts": 4, "every": 5, "views": 6},
        handed_on={"parts": 2, "every": 7, "views": 1},
        work_keys=("segment_key", "stills_key"),
    ),
}
WITH_ORDERS = [workflow for workflow, row in ROWS.items() if row.topic]

every_workflow = pytest.mark.parametrize("workflow", ROWS)
every_order = pytest.mark.parametrize("workflow", WITH_ORDERS)
every_source = pytest.mark.parametrize(
    ("workflow", "source"), [(workflow, source) for workflow in WITH_ORDERS for source in ROWS[workflow].sources]
)


@pytest.fixture
def row(workflow):
    """The workflow's row."""
    return ROWS[workflow]


@pytest.fixture
def app(load, workflow):
    """The workflow's module of functions."""
    return load(workflow)


@pytest.fixture
def order_of(app, row):
    """The function that reads an order out of an event."""
    return getattr(app, row.order).of


@pytest.fixture
def manifest(workflow):
    """The workflow's manifest."""
    return read_manifest(WORKFLOWS / workflow, derive_graph(WORKFLOWS / workflow))


@pytest.fixture
def permissions(workflow, manifest, permissions_of):
    """The set of (effect, action, resource) in the policy that the manifest names."""
    return permissions_of(WORKFLOWS / workflow, manifest)


@pytest.fixture
def may(permissions, row):
    """`may(key)`: the actions that the policy allows on a key in the samples' bucket."""

    def may(key):
        address = f"arn:aws:s3:::{row.bucket}/{key}"
        return {action for _, action, resource in permissions if fnmatch.fnmatchcase(address, resource)}

    return may


def event(row, **changes):
    """An event that is a valid order, with changes."""
    return {"bucket": "b", row.sources[0]: "input/k", "region": "us-east-1", **changes}


def lacking(row, name, *wrong):
    """Events without a value that there must be, and with each of the wrong ones in its place."""
    whole = event(row)
    return [{key: value for key, value in whole.items() if key != name}, *({**whole, name: value} for value in wrong)]


def test_rows_when_compared_with_the_benchmarks_then_there_is_one_for_each():
    """A benchmark workflow without a row would not be tested here; a user's own has tests of its own."""
    assert set(ROWS) == set(json.loads(MEASURED.read_text()))
    assert all((WORKFLOWS / name / "app.py").is_file() for name in ROWS)


@every_workflow
def test_requirements_when_read_then_are_pinned_each_to_one_version(workflow):
    """What is deployed next year is what was measured."""
    lines = (WORKFLOWS / workflow / "requirements.txt").read_text().splitlines()
    required = [line.partition("#")[0].strip() for line in lines]
    assert [line for line in required if line and not re.fullmatch(r"[\w.-]+==\d+(\.\w+)*", line)] == []


@every_workflow
def test_manifest_when_read_then_has_the_limits_of_the_readme(workflow, row, manifest):
    """Where its functions may go, what a move may cost, and with how much memory and which variables each runs."""
    assert (manifest.workflow_name, manifest.home_region) == (workflow, row.home)
    assert set(manifest.allowed_regions(KNOWN_REGIONS)) == set(row.regions)
    hard = {metric: (limit.type, limit.value) for metric, limit in manifest.hard.items()}
    assert hard == {metric: ("relative", value) for metric, value in row.limits.items()}
    assert manifest.priority[0] == "carbon"
    region = {row.region_variable: manifest.home_region} if row.region_variable else {}
    for settings in manifest.functions.values():
        assert settings.memory_mb == row.memory_mb
        assert settings.environment_variables == {**region, **row.variables}


@every_workflow
def test_iam_policy_when_read_then_allows_reading_what_is_read_and_writing_what_is_written_only(row, permissions):
    """Two actions at most, each below its own prefixes; nothing at all where there is no bucket."""
    assert permissions == {
        ("Allow", f"s3:{action}", f"arn:aws:s3:::caribou-*-{row.topic}-*/{prefix}/*")
        for action, prefixes in row.prefixes.items()
        for prefix in prefixes
    }


@every_order
def test_iam_policy_when_there_are_other_workflows_then_allows_nothing_in_their_buckets(workflow, permissions):
    """Else one could read what another is given, and overwrite what it has written."""
    others = {row.bucket for name, row in ROWS.items() if row.topic and name != workflow}
    patterns = {resource.partition("/")[0] for _, _, resource in permissions}
    reached = {b for b in others for pattern in patterns if fnmatch.fnmatchcase(f"arn:aws:s3:::{b}", pattern)}
    assert reached == set()


@every_source
def test_order_when_only_what_must_be_is_given_then_has_the_defaults(row, order_of, source, monkeypatch):
    """Those of the readme, and the region that the manifest sets."""
    monkeypatch.setenv(row.region_variable, "eu-west-1")
    given = {"bucket": "b", source: "input/k"}
    whole = {**dict.fromkeys(row.sources), **given, "region": "eu-west-1", **row.defaults}
    assert asdict(order_of(given)) == whole


@pytest.mark.parametrize("workflow", [workflow for workflow in WITH_ORDERS if ROWS[workflow].handed_on])
def test_order_when_sent_to_another_function_then_arrives_unchanged(row, order_of):
    """An order travels as JSON, where a tuple becomes a list."""
    sent = order_of(event(row, **row.handed_on))
    assert order_of(json.loads(json.dumps(asdict(sent)))) == sent


@every_order
@pytest.mark.parametrize("value", [None, "text", ["b", "k"]], ids=["null", "text", "list"])
def test_order_when_the_event_is_no_object_then_says_so(order_of, value):
    """An event may be any JSON value, but not for these workflows."""
    with pytest.raises(ValueError, match="the event must be"):
        order_of(value)


@pytest.mark.parametrize(
    ("workflow", "name"),
    [
        *((workflow, "bucket") for workflow in WITH_ORDERS),
        *((workflow, "key") for workflow in WITH_ORDERS if ROWS[workflow].sources == ("key",)),
    ],
)
def test_order_when_what_must_be_given_is_not_then_shows_what_an_event_is(row, order_of, name):
    """A wrong order fails at the entry, before anything was read or sent."""
    for given in lacking(row, name, None, "", 7):
        with pytest.raises(ValueError, match="the event must be"):
            order_of(given)


@every_order
def test_order_when_a_name_is_unknown_then_says_it_and_those_that_there_are(app, row, order_of):
    """A misspelt one would be left out, and the run be another than the one that was asked for."""
    names = ", ".join(value.name for value in fields(getattr(app, row.order)))
    with pytest.raises(ValueError, match=f"^the event must have no keys but {names}, not 'wpm', 'Key'$"):
        order_of(event(row, wpm=120, Key="input/k"))


@every_order
@pytest.mark.parametrize("key", ["k", "output/run/k", "/input/k", "Input/k", "inputs/k"])
def test_order_when_the_key_is_not_below_input_then_says_where_it_must_be(order_of, key):
    """On AWS the policy allows reading there only, and its refusal would not say why."""
    with pytest.raises(ValueError, match=rf"^key must begin with input/, .*, not '{key}'$"):
        order_of({"bucket": "b", "key": key, "region": "us-east-1"})


@every_order
def test_order_when_no_region_is_known_then_says_where_to_put_it(row, order_of, monkeypatch):
    """The function's own region would be a wrong guess: the bucket stays at home."""
    monkeypatch.delenv(row.region_variable, raising=False)
    for given in lacking(row, "region", None, ""):
        with pytest.raises(ValueError, match=row.region_variable):
            order_of(given)


@every_order
def test_readme_when_read_then_has_a_row_for_each_value_of_an_order(workflow, app, row):
    """What can be ordered is written down."""
    readme = (WORKFLOWS / workflow / "README.md").read_text()
    names = [value.name for value in fields(getattr(app, row.order))]
    assert [name for name in names if f"\n| `{name}` |" not in readme] == []


@every_order
def test_readme_when_a_command_has_an_order_then_it_is_for_what_is_uploaded(workflow, row, order_of, filled):
    """So that it runs as it stands, in any account and on the local cloud."""
    readme = (WORKFLOWS / workflow / "README.md").read_text()
    commands = re.findall(rf"^caribou run {workflow} -a '(.*)' --wait$", readme, re.MULTILINE)
    assert commands
    assert readme.count(f"caribou run {workflow} -a '") == len(commands)
    uploaded = {(entry["bucket"], entry["key"]) for entry in filled(workflow, "objects.json")}
    for command in commands:
        assert "123456789012" not in command
        text = command.replace("${account}", "123456789012").replace("${home_region}", row.home)
        order = order_of({**json.loads(text), "region": row.home})
        assert order.bucket == row.bucket
        assert order.key is None or (order.bucket, order.key) in uploaded


@every_workflow
def test_readme_when_read_then_has_the_sizes_of_the_bundles_as_measured(workflow):
    """In MB, a million bytes each: whole ones, and tenths below ten."""
    readme = (WORKFLOWS / workflow / "README.md").read_text()
    said = [float(number) for number in re.findall(r"([\d.]+) MB", readme)]
    for size in json.loads(MEASURED.read_text())[workflow]["bundle_bytes"].values():
        assert any(abs(number - size / 1e6) <= 1.0 for number in said), f"say that it has {size / 1e6:.0f} MB"


@every_order
def test_keys_when_made_for_a_run_then_are_its_own_and_may_be_used_as_they_are(app, row, order_of, may):
    """Results are written and never read; what functions leave for each other is both."""
    order = order_of(event(row))

    def made(name):
        make = getattr(order, name, None) or getattr(app, name)
        return make("run", *["1"] * (len(inspect.signature(make).parameters) - 1))

    assert made("result_key").startswith("output/run/")
    assert may(made("result_key")) == {"s3:PutObject"}
    for key in map(made, row.work_keys):
        assert key.startswith("work/run/")
        assert may(key) == {"s3:GetObject", "s3:PutObject"}


@every_workflow
def test_samples_when_uploaded_then_are_small_files_that_orders_lead_to_and_functions_may_read(
    workflow, row, filled, may
):
    """Each into the bucket that the policy is about, below the prefix that is read and never written."""
    folder = WORKFLOWS / workflow / "samples"
    assert {path.name for path in folder.glob("input*.json")} == set(row.samples)
    files = {file for file in row.samples.values() if file}
    uploaded = filled(workflow, "objects.json") if (folder / "objects.json").exists() else []
    assert sorted(entry["file"] for entry in uploaded) == sorted(files)
    for entry in uploaded:
        assert (entry["bucket"], entry["key"]) == (row.bucket, f"input/{entry['file']}")
        assert (folder / entry["file"]).stat().st_size < row.largest_sample
        assert may(entry["key"]) == {"s3:GetObject"}


@pytest.mark.parametrize(
    ("workflow", "sample"), [(workflow, sample) for workflow in WITH_ORDERS for sample in ROWS[workflow].samples]
)
def test_samples_when_the_placeholders_are_filled_then_are_orders_for_what_is_uploaded(
    workflow, row, order_of, filled, sample
):
    """Or for a text that they bring; each with its region, so that it does not depend on the manifest's variable."""
    ordered = order_of(filled(workflow, sample))
    file = row.samples[sample]
    assert (ordered.bucket, ordered.region) == (row.bucket, row.home)
    assert ordered.key == (f"input/{file}" if file else None)
