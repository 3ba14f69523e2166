"""Facts about regions and runs, into the control plane."""
