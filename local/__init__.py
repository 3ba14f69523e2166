"""The local cloud: starting the emulator and closing its gaps."""

from caribou.local.cloud import DEFAULT_REGIONS, LocalCloud

__all__ = ["DEFAULT_REGIONS", "LocalCloud"]
