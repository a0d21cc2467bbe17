"""The engines: one pass over the bytes finds where rules have to run, then their `patterns` confirm.

`prefilter` chooses between `hyperscan`, `re2` and `plain`, `needles` are the search patterns for encoded keywords, `windows` and
`confirm` run the rules. **A new secret rule does not go here** but into `detect/rules/`; its `keywords`, `mark` and `gate` are
all that the engines need.
"""
