"""Limits of AWS that more than one room counts with."""

from __future__ import annotations

MAX_EVENT_AGE_S = 6 * 3600
"""How long Lambda keeps trying to start an asynchronous invocation: its maximum, which every function here gets."""
