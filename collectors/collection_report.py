"""What a log collection did: counts of what was kept and of what was passed over, by reason, with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from caribou.model.run.text import storable

EXAMPLES = 5
EXAMPLE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """What a log collection did.

    Log groups read, and of them `unfinished`, of which the rest is left to the next collection; records kept, again or
    new; `malformed`, lines that should hold a record and do not, or one that no table takes, with some examples;
    `refused`, records that do not fit the log that they stand in, by reason; and the regions and log groups that
    failed, of which it is not known what they hold, and whose cursors stay where they were.
    """

    workflow: str
    log_groups: int = 0
    unfinished: int = 0
    records: int = 0
    malformed: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    def plus(self, other: CollectionReport) -> CollectionReport:
        """Both together."""
        return CollectionReport(
            workflow=self.workflow,
            log_groups=self.log_groups + other.log_groups,
            unfinished=self.unfinished + other.unfinished,
            records=self.records + other.records,
            malformed=self.malformed + other.malformed,
            refused=dict(Counter(self.refused) + Counter(other.refused)),
            examples=(self.examples + other.examples)[:EXAMPLES],
            failures=self.failures + other.failures,
        )

    @property
    def passed_over(self) -> tuple[str, ...]:
        """What was left out, a sentence each: nothing that is not there may go unsaid."""
        said = [f"{count} records {reason}" for reason, count in sorted(self.refused.items())]
        said += [f"{self.malformed} broken records"] if self.malformed else []
        said += [f"such as {self.examples[0]}"] if self.examples else []
        left = f"{self.unfinished} log groups are not read to their end: collect again to go on"
        return (*([", ".join(said)] if said else ()), *([left] if self.unfinished else ()))

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object, for a log or an answer."""
        return asdict(self)


def example(text: object) -> str:
    """A text of unknown length and content as an example of a report."""
    return storable(str(text))[:EXAMPLE_CHARACTERS]
