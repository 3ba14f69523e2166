"""Every template against CloudFormation's schemas and rules, as cfn-lint has them; and what checkov may not say."""

import re

import pytest
from builders import ROOT
from cfnlint.api import ManualArgs, lint

EXCEPTIONS = {
    "W3005": "CDK writes a dependency on a role beside the reference that implies it",
}
"""Rules whose findings are meant, with the reason."""


@pytest.fixture(scope="module", params=["city_tour", pytest.param("workflows", marks=pytest.mark.slow)])
def assembly(request, moved, synthesised):
    """The tests' project with a region's stack, and the project's own workflows at home."""
    return moved if request.param == "city_tour" else synthesised(ROOT, placement="home")


def test_templates_when_linted_then_nothing_is_found_but_what_is_meant(assembly):
    """Types, properties, references, values that CloudFormation or a service would refuse."""
    regions = ["us-east-1", "us-west-2", "ca-central-1"]
    found = [
        f"{stack}: {match}"
        for stack in assembly.stacks
        for match in lint(assembly.text(stack), config=ManualArgs(regions=regions))
        if match.rule.id not in EXCEPTIONS
    ]
    assert found == []


def test_rule_of_checkov_when_it_is_skipped_then_the_reason_stands_beside_it():
    """The gate runs checkov with this file; a rule without a reason is a finding that nobody thought about."""
    lines = (ROOT / ".checkov.yaml").read_text().partition("skip-check:\n")[2].splitlines()
    assert [line for line in lines if not re.fullmatch(r"  - CKV2?_AWS_\d+ # \w.{20,}", line)] == []
