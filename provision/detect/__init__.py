"""Detect secrets in bytes: rules, known keys, other encodings, streams.

`detector.Detector` is the entry point. `rules/` declares what is a secret, `engines/` finds where a rule has to run, `views/`
decodes, `stream/` handles data that arrives in chunks. `secret.Secret` holds a value without printing it.
"""
