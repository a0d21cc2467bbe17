"""`provision demo`: the whole workflow with real commands, files, cryptography and HTTP, in a temporary folder."""
