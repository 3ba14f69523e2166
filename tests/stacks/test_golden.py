"""Whole templates as they were read and found good; hashes of assets are left out.

A change that is meant: run the tests with `CARIBOU_GOLDEN=write`, and read the difference before it is committed.
"""

import os
import re
from pathlib import Path

import pytest
import yaml

from caribou.model.template_contract import METADATA_KEY, placement_data

GOLDEN = Path(__file__).with_name("golden")
STACKS = {
    "control_plane": "CaribouControlPlane",
    "home": "Workflow-city_tour",
    "region": "Workflow-city_tour-us-west-2",
    "registration": "Workflow-city_tour-registration",
}
ALARMED = {"control_plane_alarms": "CaribouControlPlane", "home_alarms": "Workflow-city_tour"}
"""The stacks that have more where a topic is named: of these only what is more."""


def readable(template):
    """The template with its placement unpacked, without the 24 plans, which another test compares."""
    if placement := placement_data(template):
        template["Metadata"] = {METADATA_KEY: {key: placement[key] for key in placement if key != "plans"}}
    return template


@pytest.mark.parametrize("name", STACKS)
def test_template_when_synthesised_then_it_is_the_golden_one(moved, name):
    """Each kind of stack is, byte by byte, what a person has read."""
    _compare(name, readable(moved.template(STACKS[name])))


@pytest.mark.parametrize("name", ALARMED)
def test_template_when_a_topic_is_named_then_what_is_more_is_the_golden_one(moved, alarmed, name):
    """The alarms, and nothing else of the template is another."""
    before, after = (readable(each.template(ALARMED[name])) for each in (moved, alarmed))
    more = {key: each for key, each in after["Resources"].items() if key not in before["Resources"]}
    for key in more:
        del after["Resources"][key]
    assert after == before
    _compare(name, {"Resources": more})


def _compare(name, template):
    text = yaml.safe_dump(template, sort_keys=True, width=120)
    text = re.sub(r"[0-9a-f]{64}", "<hash>", text)
    path = GOLDEN / f"{name}.yml"
    if os.environ.get("CARIBOU_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
