"""Commands that create, check and show a workspace."""
