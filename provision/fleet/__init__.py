"""Profiles, inventory and settings: from bytes to desired states with origins. Only `load`, `workspace` and `settings` do I/O."""
