"""Profiles, inventory, settings: from bytes to desired states with origins. Pure but for `load` and `workspace`."""
