"""Runs from outside: starting, listing, tracing and redriving them."""
