"""Roll the Hermes agent out to many machines on the AIsa model gateway.

The folders follow the data: `fleet` says who should have what, `hermes` turns that into files that Hermes reads, `keys` holds the
secrets, `bundle` seals them, `endpoint` installs, `aisa` asks the gateway, `push`, `feed` and `packaging` reach many machines,
`rotate` replaces keys, `detect` knows what a secret looks like, `audit` and `redact` search with it, `report` and `cli`
face people.
"""

__version__ = "0.2.0"
SITE = ""
"""The public address of the documentation, ending with a slash. Empty until the project owns one (docs/releases.md).

Nothing points to an address that others could register.
"""
