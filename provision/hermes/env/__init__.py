"""Hermes' `.env`: how its parsers read it, and how to edit it."""
