"""`provision:allow` in a comment on the line of a finding: somebody says that this is no secret, or one that may stand here.

    password = "correct horse"  # provision:allow a password of the test database
    TOKEN=…                     # provision:allow=generic-token

With `=RULE,…` only those rules are quiet. It never excuses a key of the fleet: a comment in a file must not be able to hide
the leak of a key that works.
"""

from __future__ import annotations

import re

_COMMENT = re.compile(r"provision:allow(?:=([A-Za-z0-9_.,-]+))?(?![A-Za-z0-9_])")


def is_allowed(line: str, rule: str) -> bool:
    """Whether what stands around a finding in its line holds a comment that allows `rule`."""
    return any(found[1] is None or rule in found[1].split(",") for found in _COMMENT.finditer(line))
