"""Mask secrets in text, streams, recordings, archives, databases and pictures before they are published.

To add a kind of file: name it in `file_kinds.FileKind`, say how to recognise it and which module redacts it, and give
that module a function `redact_file` (see `session.RedactFile`). A new picture format is a line in `file_kinds` and one
in `pictures.formats`.
"""
