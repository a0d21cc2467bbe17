"""The preview lists what redaction would mask, and what could not be examined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redactcraft import RUN_KEY, aisa_key, known, opaque

from provision.detect.detector import Detector
from provision.redact import preview
from provision.redact.checklist import ExposedSecret, NotExamined, ShownIn
from provision.redact.preview import preview_file

if TYPE_CHECKING:
    from pathlib import Path

KEY = aisa_key("preview")
FLEET_KEY = opaque("preview")


def seen(path: Path, data: str | bytes) -> tuple[list[ExposedSecret], list[NotExamined]]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return preview_file(path, Detector(known=known(FLEET_KEY)), RUN_KEY)


@pytest.mark.parametrize(
    ("name", "text", "rule", "shown"),
    [
        (".env", f"A={KEY}\n", "env-value", ShownIn.ENV),
        ("notes.txt", f"DB_PASSWORD={FLEET_KEY[::-1]}\n", "env-value", ShownIn.ENV),
        ("notes.txt", f"so I set\nDB_PASSWORD={FLEET_KEY[::-1]}\n", "assigned-line", ShownIn.ENV),
        ("notes.txt", f"so I set\nAISA_API_KEY={KEY}\n", "aisa-key", ShownIn.ENV),
        ("notes.txt", f"so I set\nexport AISA_API_KEY='{KEY}'\n", "aisa-key", ShownIn.ENV),
        ("notes.txt", f"so I set\n  api_key: {KEY}\n", "aisa-key", ShownIn.CONFIG),
        ("config.yaml", f"note: {KEY}\n", "aisa-key", ShownIn.CONFIG),
        ("a.log", f"GET / with {KEY}\n", "aisa-key", ShownIn.OTHER),
    ],
)
def test_a_secret_is_listed_with_the_kind_of_text_that_shows_it(
    tmp_path: Path, name: str, text: str, rule: str, shown: ShownIn
) -> None:
    found, unread = seen(tmp_path / name, text)
    assert unread == []
    assert {(each.rule, each.shown_in) for each in found} == {(rule, shown)}
    assert KEY not in repr(found)


def test_a_key_of_the_fleet_is_known_in_text_and_in_a_format(tmp_path: Path) -> None:
    for name, text in (("a.log", f"x {FLEET_KEY} y\n"), ("b.yaml", f"token: {FLEET_KEY}\n")):
        found, _ = seen(tmp_path / name, text)
        assert {each.known.user if each.known else None for each in found} == {"user0"}, name
        assert {each.rule for each in found} == {"known-key"}


def test_whatever_redact_masks_is_a_secret(tmp_path: Path) -> None:
    """A gate that asks less than `redact` passes what `redact` would still hide."""
    [found], unread = seen(tmp_path / ".env", "TEAM=blue-team\n")
    assert (found.rule, found.shown_in, found.sure, unread) == ("env-value", ShownIn.ENV, True, [])
    assert seen(tmp_path / ".env", "LOG_LEVEL=debug\nTEAM=[REDACTED:env-value#0a1b]\n") == ([], [])


def test_a_file_that_cannot_be_read_is_not_clean(tmp_path: Path) -> None:
    _, [unread] = seen(tmp_path / "a.rar", b"Rar!\x1a\x07")
    assert (unread.file, unread.message) == (str(tmp_path / "a.rar"), "this file format is not supported")
    _, [missing] = preview_file(tmp_path / "missing", Detector(), RUN_KEY)
    assert "cannot read" in missing.message


def test_a_reader_that_crashes_is_reported_and_what_it_found_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = preview.redact_open

    def crash(*arguments: object) -> None:
        original(*arguments)  # type: ignore[arg-type]
        raise RecursionError

    monkeypatch.setattr(preview, "redact_open", crash)
    [found], [unread] = seen(tmp_path / "a.log", f"x {KEY}\n")
    assert found.rule == "aisa-key"
    assert "RecursionError" in unread.message


def test_masks_of_an_earlier_run_are_not_secrets(tmp_path: Path) -> None:
    assert seen(tmp_path / "config.yaml", "api_key: '[REDACTED:aisa-key#3fa2]'\n") == ([], [])
