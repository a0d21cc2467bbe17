"""Quote words of commands that are printed for a reader to paste: into sh, or on Windows into PowerShell. Pure.

All hints use this one function for paths, names and values that are not provision's own. Quoting makes a name one word that the
shell does not interpret; a path that begins with `-` gets `./` in front, so that no program takes it for an option.
"""

from __future__ import annotations

import os
import re

import provision

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_PLAIN_POWERSHELL = re.compile(r"[A-Za-z0-9_./\\:=-]+")
_POWERSHELL_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
"""All of them end a single-quoted string of PowerShell; doubled they stand for themselves."""


def shell_word(value: object, *, windows: bool = os.name == "nt") -> str:
    """Quote one word. Characters that cannot be printed become escapes of `$'…'` (bash, zsh, ksh, POSIX 2024)."""
    text = str(value)
    if windows:
        if _PLAIN_POWERSHELL.fullmatch(text):
            return text
        return "'" + _POWERSHELL_QUOTES.sub(lambda quote: quote[0] * 2, text) + "'"
    if _PLAIN.fullmatch(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "'\"'\"'") + "'"
    return "$'" + "".join(_escaped(character) for character in text) + "'"


def shell_path(path: object, *, windows: bool = os.name == "nt") -> str:
    """Quote the path of a file or folder that a command takes as an argument."""
    text = str(path)
    if text.startswith("-"):
        text = (".\\" if windows else "./") + text
    return shell_word(text, windows=windows)


def _escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))


WHEEL_FROM_IT = "with the wheel that IT built (docs/releases.md)"


def install_command(extra: str = "", *, windows: bool = os.name == "nt") -> str:
    """The command that installs provision, or one of its extras, from the wheel that IT built: see docs/releases.md.

    Never by its name alone: the name is not published, so whoever registered it could serve other code.
    """
    wheel = f"./hermes_provision-{provision.__version__}-py3-none-any.whl"
    return f"pip install {shell_word(f'{wheel}[{extra}]' if extra else wheel, windows=windows)}"
