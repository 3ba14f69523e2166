"""A helper without the workflow."""


def grams_of(item: str) -> int:
    """What an item weighs: ten grams a letter."""
    return 10 * len(item)
