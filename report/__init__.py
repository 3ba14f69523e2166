"""Backtests, report pages and comparisons of placements."""
