"""The user's machine: verify a bundle, plan, apply, and report status."""
