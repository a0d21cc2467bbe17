"""Redact recordings of terminal sessions: asciinema casts and typescripts of `script`."""
