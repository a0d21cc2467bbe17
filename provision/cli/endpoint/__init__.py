"""Commands on a user's machine."""
