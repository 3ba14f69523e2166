"""The local cloud: starting the emulator and closing its gaps."""
