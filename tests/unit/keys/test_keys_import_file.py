import base64
import hashlib
import json
import os
from pathlib import Path

import keysmith
import pytest
import seeded

from provision.detect.secret import Secret
from provision.errors import InvalidFilesError, Severity
from provision.keys.import_file import ImportFile, check_file_mode, read_keys
from provision.keys.import_keys import ImportOutcome, import_keys
from provision.keys.vault.ledger import Stage
from provision.keys.vault.vault import new_vault


def _key(mark: bytes | None = None) -> str:
    body = hashlib.sha256(mark).digest() if mark else seeded.token_bytes(32)
    return "sk-aisa-" + base64.urlsafe_b64encode(body).decode().rstrip("=")


K1, K2 = _key(b"one"), _key(b"two")  # the same in every process: they stand in the names of tests


def _read(text: str | bytes, **options: bool) -> ImportFile:
    return read_keys(text if isinstance(text, bytes) else text.encode(), "k.csv", **options)


@pytest.mark.parametrize(
    "text",
    [
        f"ada,{K1},laptop\nbob,{K2}\n",
        f"user,key,label\nada,{K1},laptop\nbob,{K2},\n",
        f"\ufeffUser, Label ,API_KEY\r\nada,laptop, {K1}\r\n\r\n# bob is new\r\nbob,,{K2}",
        f'"ada","{K1}","laptop"\n"bob","{K2}"\n',
        json.dumps([{"user": "ada", "key": K1, "label": "laptop"}, {"id": "bob", "new_key": K2}]),
        json.dumps({"ada": {"key": K1, "label": "laptop"}, "bob": K2}, indent=1),
    ],
)
def test_every_form_says_the_same(text: str) -> None:
    intake = _read(text)
    assert intake.problems == ()
    assert [(k.user, k.key, k.label) for k in intake.keys] == [("ada", Secret(K1), "laptop"), ("bob", Secret(K2), "")]


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("", "no-keys", 0, 0),
        ("ada,\n", "empty-key", 1, 5),
        ("ada\n", "empty-key", 1, 1),
        (f"ada,{K1}\nbob,sk-aisa-...\n", "placeholder-key", 2, 5),
        (f"ada,{K1}\nbob,YOUR_AISA_API_KEY\n", "placeholder-key", 2, 5),
        (f"ada,{K1}'\n", "unusable-key", 1, 5),
        (f"ada,{K1[:20]} {K1[20:]}\n", "unusable-key", 1, 5),
        (f"ada,{K1}\nada,{K2}\n", "duplicate-user", 2, 5),
        (f"ada,{K1}\nbob,{K1}\n", "shared-key", 2, 5),
        (f"{K1},ada\n", "swapped-columns", 1, 1),
        (f"Ada,{K1}\n", "bad-id", 1, 1),
        (f"con,{K1}\n", "bad-id", 1, 1),
        (f",{K1}\n", "no-user", 1, 1),
        (f"ada;{K1}\n", "not-commas", 1, 1),
        (f"ada,{K1},a,b\n", "too-many-columns", 1, len(f"ada,{K1},a,") + 1),
        (f"user,key,team\nada,{K1},x\n", "bad-column", 1, 10),
        (f"ada,{K1},{K2}\n", "secret-label", 1, len(f"ada,{K1},") + 1),
        (f"ada,{K1},{'x' * 201}\n", "bad-label", 1, len(f"ada,{K1},") + 1),
        (f'ada,{K1},"x\n', "csv-syntax", 1, len(f"ada,{K1},") + 1),
        (f"ada,{K1},\x1b[31m\n", "control-character", 1, len(f"ada,{K1},") + 1),
        (f'{{"ada": "{K1}", "ada": "{K2}"}}', "json-duplicate", 1, len(f'{{"ada": "{K1}", ') + 1),
        (f'[\n {{"user": "ada", "kee": "{K1}"}}]', "bad-field", 2, 18),
        ('[\n {"user": "ada"}]', "empty-key", 2, 2),
        ('[\n {"user": "ada", "key": 12}]', "empty-key", 2, 25),
        ('["ada"]', "bad-entry", 1, 2),
        ('{"ada": ', "json-syntax", 1, 9),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_without_the_key(
    text: str, rule: str, line: int, column: int
) -> None:
    errors = [p for p in _read(text).problems if p.severity is Severity.ERROR]
    assert rule in {p.rule for p in errors}
    found = next(p for p in errors if p.rule == rule)
    assert found.place is not None
    assert (found.place.line, found.place.column) == (line, column)
    for problem in errors:
        assert K1[10:] not in str(problem)
        assert K2[10:] not in str(problem)


def test_utf_16_is_explained() -> None:
    (problem,) = _read(f"ada,{K1}\n".encode("utf-16")).problems
    assert "UTF-16" in problem.hint


def test_an_odd_shape_is_a_warning_only() -> None:
    intake = _read("ada,sk-0123456789abcdef0123456789\n")
    assert [(p.rule, p.severity) for p in intake.problems] == [("odd-key", Severity.WARNING)]
    assert len(intake.keys) == 1


@pytest.mark.parametrize(
    "text",
    [f"AISA_API_KEY={K1}", f"export AISA_API_KEY={K1}", f"AISA_API_KEY: {K1}", f"AISA_API_KEY=sk-{'0123456789abcdef' * 2}",
     f"Bearer {K1}", f"bearer:{K1}", f"key={K1}", K1 * 2, f"{K1},{K1}", f"{K1}{K2}", "sk-0123456789abcdef" * 2,
     K1[:-1], K1[:30], K1[:12], f"{K1}.", f"{K1};", f"{K1}="],
)  # fmt: skip
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_key_that_was_copied_wrongly_is_refused(text: str, form: str) -> None:
    found = _read(f'user,key\nada,"{text}"\n' if form == "csv" else json.dumps({"ada": text}))
    assert found.keys == ()
    (problem,) = found.problems
    assert (problem.rule, problem.severity) in {("miscopied-key", Severity.ERROR), ("unusable-key", Severity.ERROR)}
    assert K1[10:] not in str(problem)
    assert "sk-" not in str(problem)


@pytest.mark.parametrize("text", [f"{K1}abc", "sk-short", "sk-aisa-TEST-ada", "plain-old-key-0123", "0" * 5 + "a1" * 4])
def test_other_odd_shapes_stay_warnings(text: str) -> None:
    found = _read(f"ada,{text}\n")
    assert [(p.rule, p.severity) for p in found.problems] == [("odd-key", Severity.WARNING)]
    assert len(found.keys) == 1


@pytest.mark.skipif(os.name == "nt", reason="no file modes on Windows")
@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 1), (0o604, 1), (0o644, 1), (0o400, 0)])
def test_a_file_that_others_can_read_is_a_warning(tmp_path: Path, mode: int, count: int) -> None:
    file = tmp_path / "new keys.csv"
    file.write_text("ada,x\n")
    file.chmod(mode)
    found = list(check_file_mode(str(file)))
    assert [problem.severity for problem in found] == [Severity.WARNING] * count
    assert all(problem.hint == f"chmod 600 '{file}'" for problem in found)


def test_a_shared_key_can_be_meant() -> None:
    intake = _read(f"ada,{K1}\nbob,{K1}\n", allow_shared=True)
    assert [p.severity for p in intake.problems] == [Severity.WARNING]
    assert len(intake.keys) == 2


def test_all_problems_come_at_once_and_in_order() -> None:
    intake = _read(f"ada,\nbob,sk-...\nEve,{K1}\n")
    assert [(p.place and p.place.line, p.rule) for p in intake.problems] == [
        (1, "empty-key"),
        (2, "placeholder-key"),
        (3, "bad-id"),
    ]


def test_importing_says_what_became_of_each() -> None:
    vault = new_vault([keysmith.identity()[1]])
    first = import_keys(vault, _read(f"ada,{K1}\n").keys, now=keysmith.NOW)
    assert [(i.outcome, i.key.version, i.before) for i in first] == [(ImportOutcome.NEW, 1, None)]
    second = import_keys(vault, _read(f"ada,{K2}\nbob,{_key()}\n").keys, now=keysmith.NOW)
    assert [(i.outcome, i.key.version) for i in second] == [(ImportOutcome.REPLACED, 2), (ImportOutcome.NEW, 1)]
    assert second[0].before == first[0].key
    vault.changed = False
    third = import_keys(vault, _read(f"ada,{K2}\n").keys, now=keysmith.NOW)
    assert [i.outcome for i in third] == [ImportOutcome.UNCHANGED]
    assert not vault.changed


def test_an_import_is_everything_or_nothing() -> None:
    vault = new_vault([keysmith.identity()[1]])
    import_keys(vault, _read(f"ada,{K1}\n").keys, now=keysmith.NOW)
    import_keys(vault, _read(f"ada,{K2}\n").keys, now=keysmith.NOW)
    vault.changed = False
    with pytest.raises(InvalidFilesError) as e:
        import_keys(vault, _read(f"dan,{_key()}\nada,{K1}\nbob,{K2}\n").keys, now=keysmith.NOW)
    assert [(p.rule, p.place and p.place.line) for p in e.value.problems] == [
        ("key-replaced", 2),
        ("key-of-another", 3),
    ]
    assert "is the key of ada (version 2, current)" in e.value.problems[1].message
    assert not vault.changed
    assert vault.current("dan") is None
    pending = _key()
    vault.add("ada", Secret(pending), now=keysmith.NOW, stage=Stage.PENDING)
    with pytest.raises(InvalidFilesError, match="1 error"):
        import_keys(vault, _read(f"ada,{pending}\n").keys, now=keysmith.NOW)
