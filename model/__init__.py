"""The words of the project as values: graph, manifest, placement, problem, run record, envelope."""
