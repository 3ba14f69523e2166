"""What the emulator's second look at a topic's policy gets to see of who calls."""

import sys
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import pytest

from caribou.local.caller_tags import show_tags_of_callers

EVALUATOR = "ministack.core.iam_evaluator"


@dataclass
class Context:
    """What MiniStack judges a call by, as far as it matters."""

    principal_account: str = "000000000000"
    principal_keys: dict = field(default_factory=dict)


@pytest.fixture
def evaluator(monkeypatch):
    """MiniStack's evaluator, as far as it is relied on; it knows one key, and notes the contexts that it judges."""
    refusal = type("CredentialResolutionError", (), {})
    module = ModuleType(EVALUATOR)
    module.seen = []
    module.CredentialResolutionError = refusal
    module._verified_key = ContextVar("key", default="")
    module.resolve_credential = lambda key, _account: SimpleNamespace(name=key) if key == "known" else refusal()
    module._principal_keys = lambda credential: {"aws:principaltag/of": credential.name}
    module.resource_policy_allows = lambda _policy, context, _same: module.seen.append(context) or True
    for name in ("ministack", "ministack.core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, EVALUATOR, module)
    return module


@pytest.mark.parametrize(("key", "seen"), [("known", {"aws:principaltag/of": "known"}), ("gone", {}), ("", {})])
def test_policy_when_it_is_judged_then_it_sees_the_tags_of_who_signed(evaluator, key, seen):
    """A key that is gone has none, and neither has the account's root, which signs with no key of IAM's."""
    evaluator._verified_key.set(key)
    show_tags_of_callers()
    assert evaluator.resource_policy_allows("{}", Context(), True)  # noqa: FBT003 - MiniStack's signature
    assert evaluator.seen == [Context(principal_keys=seen)]


def test_emulator_when_it_lacks_a_name_then_it_is_refused_at_the_start(evaluator):
    """Another MiniStack does not start with its policies unseen to."""
    del evaluator._verified_key
    with pytest.raises(RuntimeError, match="has no _verified_key"):
        show_tags_of_callers()
