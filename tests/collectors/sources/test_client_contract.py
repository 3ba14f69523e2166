"""Every client against its service on the loopback, when that is well and when it is not."""

import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from client_cases import CASES
from contract import KEY, make_impatient
from loopback import EMPTY, PAGE, Answer, nulled, renamed, serving, torn

from caribou.collectors.sources.http import ATTEMPTS, Reason, SourceError

FAULTS = {
    "401": (Answer(b"{}", 401), {Reason.REFUSED}),
    "403": (Answer(b"{}", 403), {Reason.NOT_IN_PLAN}),
    "404": (Answer(b"{}", 404), {Reason.NOT_FOUND}),
    "400": (Answer(b"{}", 400), {Reason.REQUEST}),
    "429 for an hour": (Answer(b"{}", 429, {"Retry-After": "3600"}), {Reason.THROTTLED}),
    "429 always": (Answer(b"{}", 429, {"Retry-After": "2"}), {Reason.THROTTLED}),
    "500 always": (Answer(b"{}", 500), {Reason.UNAVAILABLE}),
    "another place": (Answer(b"", 302, {"Location": "http://127.0.0.1:9/"}), {Reason.REQUEST}),
    "torn JSON": (torn, {Reason.GARBLED}),
    "a page": (PAGE, {Reason.GARBLED, Reason.SCHEMA}),
    "nothing": (EMPTY, {Reason.GARBLED, Reason.SCHEMA}),
    "nulls": (nulled, {Reason.SCHEMA, Reason.NOTHING}),
    "other keys": (renamed, {Reason.SCHEMA}),
}
PASSING = {
    "500": Answer(b"{}", 500),
    "503": Answer(b"{}", 503, {"Retry-After": "1"}),
    "429": Answer(b"{}", 429, {"Retry-After": "2"}),
    "429 until a date": Answer(
        b"{}", 429, {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)}
    ),
    "a cut": Answer(b"0123456789", cut=True),
    "silence": Answer(hangs=True),
}


@pytest.fixture(autouse=True)
def waits(monkeypatch, request):
    """What clients wait for, without waiting."""
    is_silent = request.node.callspec.params.get("fault") == "silence"
    return make_impatient(monkeypatch, **({"silence_s": 0.3} if is_silent else {}))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("fault", FAULTS)
def test_client_when_its_service_is_at_fault_then_it_says_so_in_one_error_without_the_key(case, fault, caplog):
    """And the reason is the right one; nothing of the key is in message, traceback or log."""
    caplog.set_level(logging.DEBUG)
    answer, reasons = FAULTS[fault]
    if fault in case.may_lack:
        pytest.skip("a good answer of this service")
    with serving(case.service) as there:
        there.always = answer
        with pytest.raises(SourceError) as caught:
            case.ask(there.url)
    assert caught.value.reason in reasons, caught.value
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(caught.value)
    assert KEY not in shown


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("fault", PASSING)
def test_client_when_its_service_is_well_again_then_it_gets_what_it_asked_for(case, fault, waits):
    """One bad answer first; it waits as long as the service says."""
    with serving(case.service) as there:
        good = case.ask(there.url)
        there.first.append(PASSING[fault])
        assert case.ask(there.url) == good
    assert waits.seconds
    if fault == "429":
        assert 2.0 in waits.seconds


@pytest.mark.parametrize("text", ["9" * 400, "Fri, 31 Dec 9999 23:59:59 -2359", "soon"])
def test_client_when_its_service_wants_to_be_left_alone_for_no_time_that_is_one_then_it_tries_again_soon(text, waits):
    """Longer than a float holds, later than a calendar has, or words: no error but those of services."""
    with serving(CASES[0].service) as there:
        good = CASES[0].ask(there.url)
        there.first.append(Answer(b"{}", 429, {"Retry-After": text}))
        assert CASES[0].ask(there.url) == good
    assert 1.0 in waits.seconds


@pytest.mark.parametrize("case", CASES, ids=str)
def test_client_when_its_service_stays_away_then_it_gives_up_after_a_few_tries(case, waits):
    """Four requests, with longer and longer waits between."""
    with serving(case.service) as there:
        there.always = Answer(b"{}", 500)
        with pytest.raises(SourceError):
            case.ask(there.url)
        assert len(there.requests) == ATTEMPTS
    assert [wait for wait in waits.seconds if wait >= 1] == [1.0, 2.0, 4.0]  # the others are its pace


@pytest.mark.parametrize("case", CASES, ids=str)
def test_client_when_nobody_listens_then_it_says_so(case):
    """A port that is closed again."""
    with serving(case.service) as there:
        url = there.url
    with pytest.raises(SourceError) as caught:
        case.ask(url)
    assert caught.value.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("case", [case for case in CASES if case.takes_key], ids=str)
def test_client_when_it_takes_a_key_then_its_requests_carry_it(case):
    """In a header or the query, of the first request at least."""
    with serving(case.service) as there:
        case.ask(there.url)
        first = there.requests[0]
    carried = [*first.headers.values(), *first.query.values()]
    assert any(KEY in value for value in carried) or first.headers["authorization"].startswith("Basic ")
