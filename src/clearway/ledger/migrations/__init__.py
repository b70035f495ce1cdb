"""Revisions of the schema. Each is one transaction; none is changed once it was released."""
