"""Hosts that look like another one: letters of another script in the place of Latin ones.

Only what a reader takes for plain ASCII counts: a label that mixes Latin with Greek or Cyrillic letters, or that reads as ASCII
when each such letter is replaced by the Latin one it resembles. A name in one other script, such as `пример.example`, is none.
"""

from __future__ import annotations

import unicodedata

_RESEMBLES = str.maketrans(
    "аеорсухіјѕԁһӏԛԝьвкмнтгѵαοορνικυχγηωτβερ",
    "aeopcyxijsdhlqwbbkmhtrvaoopvikuxynwtbep",
)


def looks_like(host: str) -> str | None:
    """Return the ASCII host that a reader takes `host` for, or None. `host` may be in punycode."""
    labels = [_unicode(label) for label in host.lower().split(".")]
    shown = [unicodedata.normalize("NFKC", label).translate(_RESEMBLES) for label in labels]
    for label, plain in zip(labels, shown, strict=True):
        if label.isascii():
            continue
        scripts = {unicodedata.name(c, "").partition(" ")[0] for c in label if c.isalpha()}
        if plain.isascii() or ("LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}):
            return ".".join(p if p.isascii() else "?" for p in shown)
    return None


def _unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
