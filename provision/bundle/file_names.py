"""The names of the files in a bundle. Apart from the manifest's model, so that `render` can read bundles without it."""

from __future__ import annotations

import json
import re

from provision.fleet.names import WINDOWS_RESERVED

CONFIG, SEALED_ENV, WELCOME = "config.yaml", ".env.age", "WELCOME.md"
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
PAGE = "WELCOME.html"
"""The further file that bundles have: WELCOME.md for a browser. Bundles of earlier releases have none."""
CONTENT = (CONFIG, SEALED_ENV, WELCOME)
"""The files that every manifest lists."""
BUNDLE_FILES = (*CONTENT, MANIFEST, SIGNATURE)
"""The files of every bundle. Its manifest may list further ones, and its folder holds nothing else."""
MAX_MANIFEST_BYTES = 64 * 1024
LIMITS = {CONFIG: 1 << 20, SEALED_ENV: 256 << 10, WELCOME: 1 << 20, MANIFEST: MAX_MANIFEST_BYTES, SIGNATURE: 4096}
"""The largest size of each of them."""
MAX_EXTRA_FILES = 8
_EXTRA_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_FIXED = {name.lower() for name in BUNDLE_FILES}


def is_extra_name(name: str) -> bool:
    """Whether a file of this name may join the fixed ones: plain on every system, and not one of theirs in another case."""
    plain = _EXTRA_NAME.fullmatch(name) is not None and name.partition(".")[0].lower() not in WINDOWS_RESERVED
    return plain and name.lower() not in _FIXED


def extra_names(manifest: bytes) -> tuple[str, ...]:
    """Names of further files that a manifest lists, unverified, so that they can be read; none when it is not readable."""
    listed = manifest[manifest.rfind(b'"files"') :]
    count = listed.count(b":") - 1 - len(CONTENT)  # a render finds out about 10,000 users without parsing
    if count == 0 or (count == 1 and b'"WELCOME.html": "' in listed):
        return (PAGE,) if count else ()
    try:
        names = sorted(filter(is_extra_name, dict(json.loads(manifest)["files"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()
    return tuple(names[:MAX_EXTRA_FILES])
