"""Writes the sample texts, the log of a lighthouse: `uv run workflows/text_2_speech_censoring/samples/make_log.py`."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
DAYS = {"log.txt": 18, "long_log.txt": 70}
"""How many days each text has."""

WINDS = (
    "west, moderate",
    "north-west, fresh",
    "south, hardly any",
    "west, a gale by noon",
    "east, and as cold as stone",
)
LAMPS = (
    "The lamp burned well from dusk to dawn.",
    "I trimmed the wick twice and cleaned the lens.",
    "The damn lamp went out at 2:40 and again at 4:15.",
    "We used 1,250 grams of oil, which isn't bad.",
    "The lamp smokes; I've written to the board about the oil.",
    "Nothing to say of the lamp, and that\u2019s how I like it.",
    "Lit at dusk. Out by three. Damn, damn, damn!",
)
SHIPS = (
    "Two brigs passed to the north.",
    "No ships.",
    "A trawler came close enough to shout “good morning” at us.",
    "The mail boat could not land; there was one hell of a swell at the steps.",
    "Counted eleven sails before breakfast, then fog until dark.",
    "The Margaret went by with her flag at half-mast.",
)
SUPPERS = (
    "Supper was fish.",
    "Supper was fish again, and the bread is finished.",
    "Tom cooked: it was crap, and he knows it.",
    "Potatoes, an egg each, and the last of the butter.",
)
SENTENCES = (LAMPS, SHIPS, SUPPERS)


def log(days: int) -> str:
    """The log of so many days. The lists' lengths have no common factor that is large, so days differ for long."""
    return "\n".join(_day(day) for day in range(days))


def _day(day: int) -> str:
    said = " ".join(sentences[day % len(sentences)] for sentences in SENTENCES)
    return f"Day {day + 1}. Wind {WINDS[day % len(WINDS)]}. {said}\n"


def main() -> None:
    """Write the files beside this one."""
    for name, days in DAYS.items():
        (FOLDER / name).write_text(log(days), encoding="utf-8")


if __name__ == "__main__":
    main()
