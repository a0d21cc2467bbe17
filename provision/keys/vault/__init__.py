"""The vault `keys.vault`: text format, cryptography, file, merge."""
