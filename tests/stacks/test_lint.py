"""Every template against CloudFormation's schemas and rules, as cfn-lint has them."""

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
