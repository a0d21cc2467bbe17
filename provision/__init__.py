"""Roll the Hermes agent out to many machines on the AIsa model gateway.

The folders follow the way data flows: `fleet` says who should have what, `hermes` turns that into files Hermes reads,
`keys` holds the secrets, `bundle` seals and installs, `aisa` asks the gateway, `deploy` reaches many machines, `rotate` replaces
keys, `detect` knows what a secret looks like, `audit` and `redact` look with its eyes, `report` and `cli` face people.
"""

__version__ = "0.1.0"
