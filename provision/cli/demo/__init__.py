"""`provision demo`: the whole loop with real commands, files, cryptography and HTTP, in a temporary folder."""
