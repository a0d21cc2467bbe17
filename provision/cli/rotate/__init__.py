"""The `rotate` commands."""
