"""The `audit` command and its modes."""
