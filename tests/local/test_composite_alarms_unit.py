"""What the gap of composite alarms needs of the emulator; tests/e2e/test_redrive.py shows that stacks have them."""

import sys
from types import ModuleType

import pytest

from caribou.local.composite_alarms import make_composite_alarms

PROVISIONERS, CLOUDWATCH = "ministack.services.cloudformation.provisioners", "ministack.services.cloudwatch"


@pytest.fixture
def emulator(monkeypatch):
    """The emulator's two modules, with what is relied on."""
    provisioners, cloudwatch = ModuleType(PROVISIONERS), ModuleType(CLOUDWATCH)
    provisioners._RESOURCE_HANDLERS = {}
    for name in ("_put_composite_alarm", "_delete_alarms", "_composite_alarms"):
        setattr(cloudwatch, name, None)
    for module in (provisioners, cloudwatch):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return provisioners, cloudwatch


def test_gap_when_the_emulator_lacks_a_name_then_it_is_refused(emulator):
    """It does not start half-patched."""
    del emulator[1]._delete_alarms
    with pytest.raises(RuntimeError, match="_delete_alarms"):
        make_composite_alarms()


def test_gap_when_the_emulator_has_them_itself_then_it_is_refused(emulator):
    """Then this file can go."""
    emulator[0]._RESOURCE_HANDLERS["AWS::CloudWatch::CompositeAlarm"] = {}
    with pytest.raises(RuntimeError, match="CompositeAlarm"):
        make_composite_alarms()


def test_stack_when_the_api_refuses_an_alarm_then_it_fails_with_what_that_says(emulator):
    """As on AWS."""
    emulator[1]._put_composite_alarm = lambda *_, **__: (400, {}, b'{"message": "do not exist"}')
    make_composite_alarms()
    with pytest.raises(ValueError, match="do not exist"):
        emulator[0]._RESOURCE_HANDLERS["AWS::CloudWatch::CompositeAlarm"]["create"]("Any", {"AlarmName": "a"}, "stack")
