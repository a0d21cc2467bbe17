"""Readers that know the position of every value: YAML, JSON, CSV and key paths."""
