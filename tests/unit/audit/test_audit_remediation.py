"""What to do about a leak."""

from __future__ import annotations

import pytest
from leakcraft import known_key, match, raw
from sourcescraft import a_key

from provision.audit.access import Readers
from provision.audit.leak import Leak
from provision.audit.locations import LocationKind
from provision.audit.remediation import remediation_for
from provision.containers.blob import ContentKind

FIX = "`provision audit --fix` masks it"
REBUILD = "delete the file, or rebuild it: its format cannot be rewritten"
LEAKED = f"run `provision rotate leaked {known_key().fingerprint}`"


def leak(
    kind: LocationKind,
    stage: str | None = None,
    value: str = "x",
    where: str | None = None,
    *,
    in_use: bool = False,
    content: ContentKind = ContentKind.TEXT,
) -> Leak:
    known = known_key(stage=stage) if stage else None
    return Leak(raw("/f", match(value, known=known), where, content), kind, None, in_use=in_use)


@pytest.mark.parametrize(
    ("found", "exposed", "verdict", "expected"),
    [
        (leak(LocationKind.LOG, "current"), Readers.OWNER, None, FIX),
        (leak(LocationKind.LOG, "current"), Readers.EVERYONE, None, f"{LEAKED}; then {FIX}"),
        (leak(LocationKind.LOG, "current"), Readers.EVERYONE, "dead", FIX),
        (leak(LocationKind.LOG, "previous"), Readers.OWNER, None, f"{LEAKED}; then {FIX}"),
        (leak(LocationKind.LOG, "retired"), Readers.EVERYONE, None, FIX),
        (leak(LocationKind.LOG), Readers.GROUP, None, f"revoke it where it was issued and make a new one; then {FIX}"),
        (leak(LocationKind.LOG, in_use=True), Readers.OWNER, None, FIX),
        (
            leak(LocationKind.LOG, value=a_key()),
            Readers.OWNER,
            None,
            f"find out whose it is; revoke it in the console (API Keys) unless it is needed; then {FIX}",
        ),
        (leak(LocationKind.BACKUP, where="a.zip!x"), Readers.OWNER, None, f"{FIX} inside the archive"),
        (leak(LocationKind.LOG, where="a table: block 1, value"), Readers.OWNER, None, FIX),
        (leak(LocationKind.LOG, content=ContentKind.LEVELDB), Readers.OWNER, None, REBUILD),
        (leak(LocationKind.BACKUP, where="a.zip!5.ldb", content=ContentKind.LEVELDB), Readers.OWNER, None, REBUILD),
    ],
)
def test_steps(found: Leak, exposed: Readers, verdict: str | None, expected: str) -> None:
    assert remediation_for(found, exposed, verdict) == expected


def test_git_history_counts_as_read_by_others() -> None:
    steps = remediation_for(leak(LocationKind.GIT, "current"), Readers.OWNER, None)
    assert steps.startswith(f"{LEAKED}; then history is never rewritten here")


def test_an_old_key_in_env_is_replaced_by_the_newest_bundle() -> None:
    assert "install the newest bundle" in remediation_for(leak(LocationKind.ENV, "retired"), Readers.OWNER, None)
