"""The user's machine: verify a bundle, plan the changes, apply them, and report status."""
