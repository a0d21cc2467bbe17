"""The shape of AIsa keys, and placeholders for keys.

AIsa keys are `sk-aisa-` and 43 base64url characters; older ones are plain `sk-…`. The body may begin or end with `-` or
`_`. An unusual shape causes a warning, never an error; a placeholder copied from documentation is always an error.
"""

from __future__ import annotations

from provision.lazy_regex import lazy_regex

AISA_KEY_LENGTH = 51
AISA_KEY = lazy_regex(r"sk-aisa-[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
SECRET_LIKE = lazy_regex(
    r"sk-aisa-[A-Za-z0-9_-]{43,}"  # also behind a letter or a dash, as in the name of a file
    r"|(?<![A-Za-z0-9_-])(?:sk-[A-Za-z0-9_-]{16,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|AGE-PLUGIN-[A-Z0-9-]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[A-Za-z0-9_-]{30,}|A(?:KI|SI)A[A-Z0-9]{16}|xai-[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|hvs\.[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.|-----BEGIN [A-Z ]*PRIVATE KEY)"
)
_PLACEHOLDER = lazy_regex(
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
_MASKED = lazy_regex(r"…|\*{2,}|\.{2,}|•{2,}")
_LONGEST_PLACEHOLDER = 200
_FEW_CHARACTERS = 12
"""43 random base64url characters have about 31 different ones; a dozen or fewer never occur."""


def is_placeholder(value: str) -> bool:
    """Return whether `value` is a placeholder for a key (`sk-aisa-...`, `YOUR_AISA_API_KEY`, `${VAR}`, `changeme` …).

    A masked key (`sk-aisa-ab…yz`) is a placeholder too. A value with the complete shape of a current key is a key, even if
    it begins with `your`, which happens once in a million keys; unless it repeats few characters.
    """
    value = value.strip()
    if aisa_shaped(value):
        return len(set(value[len("sk-aisa-") :])) <= _FEW_CHARACTERS
    if len(value) > _LONGEST_PLACEHOLDER:
        return False
    return bool(_PLACEHOLDER.match(value) or _MASKED.search(value))


def has_secret(text: str) -> bool:
    """Return whether `text` contains something like a secret of any known kind that is not a placeholder."""
    return any(not is_placeholder(found.group()) for found in SECRET_LIKE.finditer(text))


def mask_secrets(text: str) -> str:
    """Return `text` for printing: everything that looks like a secret is masked, placeholders too."""
    return SECRET_LIKE.sub(lambda found: masked(found.group()), text)


def aisa_shaped(value: str) -> bool:
    """Return whether `value` has the shape of a current AIsa key."""
    return bool(AISA_KEY.fullmatch(value))


def masked(value: str) -> str:
    """Return a value for display: the first and last four characters of a long one, stars for a short one."""
    return f"{value[:4]}…{value[-4:]}" if len(value) >= 24 else "****"
