"""A user's project: its workflows, and which placement each of them gets."""
