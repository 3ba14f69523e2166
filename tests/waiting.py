"""Waiting for what must happen. No test passes by being quick: the one limit is for what would hang."""

import time

BACKSTOP_S = 900.0
"""After so long, whatever was waited for will not come any more, however busy the machine is."""
POLL_S = 0.1


def eventually(check, what="what was waited for"):
    """What the check returned when it was true at last. Raises AssertionError, with the last answer, if it never is."""
    give_up = time.monotonic() + BACKSTOP_S
    while not (answer := check()):
        assert time.monotonic() < give_up, f"{what}: not within {BACKSTOP_S:.0f} s, but {answer!r}"
        time.sleep(POLL_S)
    return answer
