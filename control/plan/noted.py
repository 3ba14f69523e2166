"""Keys of a problem's provenance at which stands what a placement's reader has to know of the facts below it."""

SOURCES = "sources"
"""In a line, where the facts come from and of when they are."""
VALID_UNTIL = "facts_valid_until"
"""Until when all of the facts are to be used, ISO 8601; not there if they do not say."""
FACT_NOTES = OLD, MIXED, NOT_ALIKE, BY_FALLBACK = (
    "facts_old",
    "facts_of_several_sources",
    "carbon_not_comparable",
    "facts_by_fallback",
)
"""There where there is something to say."""
