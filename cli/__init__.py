"""The caribou command: thin, one module a command group."""
