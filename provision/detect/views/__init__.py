"""Views: the same bytes decoded or rejoined, with a mapping back to the original offsets.

`encodings` decodes base64, hex, UTF-16, percent signs and backslashes, `split_keys` joins keys that a terminal split. A new
encoding goes into `encodings`; **a new secret rule does not go here** but into `detect/rules/`: every rule is run on every view.
"""
