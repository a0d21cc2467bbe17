"""All facts about a release of Hermes live here, one module for each release. The rest of the tree imports them.

The code that models Hermes' behaviour is in `provision.hermes.routing`, `.config` and `.env`.
"""
