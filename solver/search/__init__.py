"""The search for the best placement of each hour, with a proof: see docs/solver.md."""
