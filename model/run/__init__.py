"""What a run is made of, as values: its item, messages and payloads, run records, what a skipped edge ends."""
