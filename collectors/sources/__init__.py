"""Where facts of regions come from: a file a source, and the registry that users choose from."""
