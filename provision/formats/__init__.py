"""Readers that record the line and column of every value: YAML, JSON, CSV. Also key paths, and edits of text."""
