"""Redact archives, compressed files and databases, member by member."""
