"""Files to values: the one corner of the model that uses pydantic; the runtime never imports it."""
