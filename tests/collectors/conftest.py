"""Graphs, manifests and run records: see run_records.py."""

from run_records import diamond, make  # noqa: F401 - fixtures
