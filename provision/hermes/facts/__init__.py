"""All facts about Hermes live here: names that all known releases share, and what each release does in its own way.

`names.py` has the names; the rest of the tree imports it as `facts`. `release.py` defines `HermesFacts`, of which each release
has one value in a module of its own. `selection.py` chooses the value for a version and says whether it is verified. The code
that models Hermes' behaviour is in `provision.hermes.routing`, `.config` and `.env`; it is given a value and asks it.
"""
