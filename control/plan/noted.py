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
REGION_NOTES = NOT_ENABLED, NOT_BOOTSTRAPPED, NOT_KNOWN, WITHOUT_ARM64, NOT_ASKED = (
    "regions_not_enabled",
    "regions_not_bootstrapped",
    "regions_not_known",
    "regions_without_arm64",
    "regions_not_asked",
)
"""Of regions in which no node may be placed, as a deploy would refuse it."""
