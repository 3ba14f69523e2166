"""What stands in answers of services: times that can be shifted to UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

_FIRST, _LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
Moment = Annotated[AwareDatetime, Field(ge=_FIRST, le=_LAST)]
"""A time with its zone, of an age that has grids and forecasts."""
Seconds = Annotated[int, Field(ge=int(_FIRST.timestamp()), le=int(_LAST.timestamp()))]
"""Such a time as seconds since 1970."""
