"""What an AIsa key looks like, and what only pretends to be one.

AIsa keys are `sk-aisa-` and 43 base64url characters; older ones are plain `sk-…`. The body may begin or end with `-` or
`_`. An odd shape is worth a warning and never a refusal; a placeholder from somebody's documentation is always refused.
"""

from __future__ import annotations

import re

AISA_KEY = re.compile(r"sk-aisa-[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
SECRET_LIKE = re.compile(
    r"(?<![A-Za-z0-9_-])(?:sk-[A-Za-z0-9_-]{16,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|AKIA[A-Z0-9]{16}|xai-[A-Za-z0-9]{20,}"
    r"|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.|-----BEGIN [A-Z ]*PRIVATE KEY)"
)
_PLACEHOLDER = re.compile(
    r"""(?ix) ^ (?:
        sk-(?:aisa-)? (?: \.{2,} | … | x+ | \*+ | your.* | change.?me.* | placeholder.* | example.*
                        | test.?key | key | 0+ | 1234.* )?
      | (?:your|my|the|insert|enter|paste)[ _-].* (?:key|token|secret).*
      | your[_-]?(?:aisa[_-]?)?(?:api[_-]?)?key (?:[_-]here)?
      | change[ _-]?me | replace[ _-]?me | placeholder | example | dummy | none | null | undefined | todo | tbd | n/?a
      | no-key-required | api[_-]?key | x{3,} | \*{3,} | \.{2,} | … | <.*> | \$\{.*\} | \$[A-Z_]+ | \{\{.*\}\}
    ) $ """,
)


def placeholder(value: str) -> bool:
    """Whether `value` stands for a key rather than being one (`sk-aisa-...`, `YOUR_AISA_API_KEY`, `${VAR}`, `changeme` …)."""
    return bool(_PLACEHOLDER.match(value.strip()))


def aisa_shaped(value: str) -> bool:
    """Whether `value` has the shape of a current AIsa key."""
    return bool(AISA_KEY.fullmatch(value))


def masked(value: str) -> str:
    """A value as people may see it: first and last four of a long one, stars for a short one."""
    return f"{value[:4]}…{value[-4:]}" if len(value) >= 24 else "****"
