"""The CDK app of this project: the control plane, and every workflow in `workflows/`."""

from datetime import UTC, datetime

from caribou.stacks import synthesise

synthesise(now=datetime.now(UTC))
