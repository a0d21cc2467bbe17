"""Detect secrets in data that arrives in chunks.

`scanner` is the entry point: it passes on what cannot be part of a secret as soon as it arrives. `lines` and `batch` decide line
by line, `sliding` handles data without line ends. **A new secret rule does not go here** but into `detect/rules/`.
"""
