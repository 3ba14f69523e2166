"""The coming hours of a grid out of those that were, by methods that were measured: docs/forecast.md."""
