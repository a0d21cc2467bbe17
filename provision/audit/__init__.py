"""Leaked keys and hijacked routes: where to look, what was found, whose it is and how to cure it."""
