"""Leaving a Hermes home: the plan of an uninstall, and its transaction."""
