"""The command line: one small module per command; each parses, calls, formats and exits."""
