"""Offline snapshots of public facts about AWS regions, each with its source, date, basis and licence in the file.

Read through `caribou.collectors.sources.snapshot`; written by `derive.py`. What they mean is in docs/data.md.
"""
