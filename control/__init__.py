"""The loop: decide, solve, migrate, drain, retire."""
