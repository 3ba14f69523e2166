"""Load on a deployed workflow: when runs are started, how they are driven, and what became of them."""
