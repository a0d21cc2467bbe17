"""`provision:allow` comments: the author declares that a line holds no secret, or one that may be there.

    password = "correct horse"  # provision:allow a password of the test database
    TOKEN=…                     # provision:allow=generic-token

With `=RULE,…` only those rules are ignored. A comment never hides a key of the fleet: a file must not be able to hide the
leak of a key that works.
"""

from __future__ import annotations

import re

_COMMENT = re.compile(r"provision:allow(?:=([A-Za-z0-9_.,-]+))?(?![A-Za-z0-9_])")


def is_allowed(line: str, rule: str) -> bool:
    """Whether the text around a finding in its line holds a comment that allows `rule`."""
    return any(found[1] is None or rule in found[1].split(",") for found in _COMMENT.finditer(line))
