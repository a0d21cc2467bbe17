"""Commands against leaks."""
