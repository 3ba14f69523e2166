"""Problem to placement: pure functions, no AWS, no clock, no files."""
