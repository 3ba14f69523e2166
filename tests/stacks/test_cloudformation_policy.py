"""The policy for CloudFormation in docs/permissions.md, against what its own schemas say that each type takes."""

import json
import re
from fnmatch import fnmatchcase

import pytest
from builders import ROOT
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from iam_calls import actions_of

PAGE = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8").partition("\n## Bootstrap")[2]
POLICY = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
GOLDEN = "".join(path.read_text() for path in (ROOT / "tests" / "stacks" / "golden").glob("*.yml"))
TYPES = sorted(set(re.findall(r"^    Type: (AWS::\w+::\w+)$", GOLDEN, re.MULTILINE)))
NOT_OURS = (
    *("kinesis:*", "firehose:*", "s3tables:*", "elasticfilesystem:*", "s3files:*"),
    *("iam:*UserPolic*", "iam:*GroupPolic*", "iam:CreateServiceLinkedRole", "iam:UpdateRoleDescription"),
)
"""For properties that no template of ours has."""
OF_OPTIONS = ("kms:*", "ec2:*", "iam:*RolePermissionsBoundary")
"""For keys of a manifest, with which a page says it."""


@pytest.mark.parametrize("kind", TYPES)
def test_policy_of_cloudformation_when_a_type_is_made_changed_or_deleted_then_it_has_all_that_the_schema_names(kind):
    """A stack that can be made and not be deleted is found by who wants to be rid of it."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
    named = {action for step in handlers if step != "list" for action in handlers[step]["permissions"]}
    allowed = (*actions_of(POLICY), *NOT_OURS, *OF_OPTIONS)
    assert {action for action in named if not any(fnmatchcase(action.lower(), a.lower()) for a in allowed)} == set()


def test_pages_when_keys_of_a_manifest_take_more_then_they_say_so():
    """A VPC, a key of one's own, and a boundary."""
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("writing-workflows.md", "existing-cdk-app.md"))
    found = [PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"] for kind in TYPES]
    named = {action for handlers in found for step in handlers.values() for action in step["permissions"]}
    more = {a for a in named if any(fnmatchcase(a, option) for option in OF_OPTIONS)}
    assert {
        "ec2:DescribeNetworkInterfaces",
        "kms:CreateGrant",
        "kms:RevokeGrant",
        "iam:PutRolePermissionsBoundary",
    } <= more
    by_alias = {"kms:ListAliases"}  # our keys are ARNs
    said = {action for action in more if f"`{action}`" in pages or f"`{action}*`" in pages}
    assert more - said == by_alias
