"""Migrating: applying the placement that waits, and retiring the regions that nothing uses any more."""
