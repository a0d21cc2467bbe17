"""What an AIsa key looks like, and what only pretends to be one.

AIsa keys are `sk-aisa-` and 43 base64url characters; older ones are plain `sk-…`. The body may begin or end with `-` or
`_`. An odd shape is worth a warning and never a refusal; a placeholder from somebody's documentation is always refused.
"""

from __future__ import annotations

import re

AISA_KEY_LENGTH = 51
AISA_KEY = re.compile(r"sk-aisa-[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
SECRET_LIKE = re.compile(
    r"(?<![A-Za-z0-9_-])(?:sk-[A-Za-z0-9_-]{16,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|AGE-PLUGIN-[A-Z0-9-]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[A-Za-z0-9_-]{30,}|A(?:KI|SI)A[A-Z0-9]{16}|xai-[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|hvs\.[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.|-----BEGIN [A-Z ]*PRIVATE KEY)"
)
_PLACEHOLDER = re.compile(
    r"""(?ix) ^ (?:
        sk-(?:aisa-)? (?: [x-]+ | <.*> | \{.*\} | \$.* | your.* | change.?me.* | placeholder.* | example.*
                        | insert.* | paste.* | replace.* | test.?key | key | 0+ | 1234.* )?
      | (?:your|my|the|insert|enter|paste|put|replace)[ _-].* (?:key|token|secret).*
      | an?[ _-][^0-9]* (?:key|token|secret)[^0-9]*
      | your (?:aisa)? (?:api)? key (?:here)?
      | change[ _-]?(?:me|it) | replace[ _-]?me | \W?redacted\W? | placeholder | example | dummy | none | null
      | undefined | todo | tbd | fixme | n/?a | secret | password | test
      | no-key-required | (?:[a-z]+[_-])* (?:api)?[_-]?key | x{3,} | -+ | <.*> | \[.*\] | \$\{.*\} | \$[A-Z_]+ | %[A-Z_]+%
      | \{\{.*\}\} | \{.*\}
    ) $ """,
)
_MASKED = re.compile(r"…|\*{2,}|\.{2,}|•{2,}")
_LONGEST_PLACEHOLDER = 200
_FEW_CHARACTERS = 12
"""43 random base64url characters hold about 31 different ones; a dozen or fewer do not happen in the life of the universe."""


def is_placeholder(value: str) -> bool:
    """Whether `value` stands for a key rather than being one (`sk-aisa-...`, `YOUR_AISA_API_KEY`, `${VAR}`, `changeme` …).

    So does a key that somebody masked (`sk-aisa-ab…yz`). A value with the whole shape of a current key is one, unless it
    repeats few characters: of a million real keys, one happens to begin with `your`.
    """
    value = value.strip()
    if aisa_shaped(value):
        return len(set(value[len("sk-aisa-") :])) <= _FEW_CHARACTERS
    if len(value) > _LONGEST_PLACEHOLDER:
        return False
    return bool(_PLACEHOLDER.match(value) or _MASKED.search(value))


def has_secret(text: str) -> bool:
    """Whether something in `text` looks like a secret of any known kind and is no placeholder."""
    return any(not is_placeholder(found.group()) for found in SECRET_LIKE.finditer(text))


def mask_secrets(text: str) -> str:
    """`text` with everything that looks like a secret masked, placeholders too: for what is printed."""
    return SECRET_LIKE.sub(lambda found: masked(found.group()), text)


def aisa_shaped(value: str) -> bool:
    """Whether `value` has the shape of a current AIsa key."""
    return bool(AISA_KEY.fullmatch(value))


def masked(value: str) -> str:
    """A value as people may see it: first and last four of a long one, stars for a short one."""
    return f"{value[:4]}…{value[-4:]}" if len(value) >= 24 else "****"
