"""Making one bundle: what is sealed, what is signed, what is written, and the digest over all of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from bundlecraft import Shop

from provision.bundle.manifest import BUNDLE_FILES, MANIFEST, PAGE, SEALED_ENV, parse_manifest
from provision.bundle.plan import PlannedBundle, plan_bundles
from provision.bundle.seal_and_sign import BundleJob, bundle_files, content_digest, write_bundle
from provision.bundle.workers import InProcessMaker
from provision.keys.recipients import BadRecipientError
from provision.signing.sshsig import public_blob, verify_signature

SHOP = Shop(users=("ada",))


def job(folder: str, recipients: tuple[str, ...] | None = None) -> BundleJob:
    (planned,) = plan_bundles([SHOP.state("ada")], SHOP.common)
    assert isinstance(planned, PlannedBundle)
    fields = planned.fields(SHOP.common, 1)
    chosen = planned.recipients if recipients is None else recipients
    page = planned.page(welcome := planned.welcome(SHOP.common), SHOP.common)
    return BundleJob("ada", folder, planned.config, planned.env(), welcome, page, chosen, fields)


def test_the_signature_covers_a_manifest_of_these_files_and_no_plaintext_is_in_them() -> None:
    files = bundle_files(job(""), SHOP.signer)
    assert set(files) == {*BUNDLE_FILES, PAGE}
    assert verify_signature(files[MANIFEST], files["manifest.json.sig"]) == public_blob(SHOP.signer.public_key())
    assert set(parse_manifest(files[MANIFEST]).files) == {"config.yaml", ".env.age", "WELCOME.md", "WELCOME.html"}
    assert SHOP.keys["ada"].reveal().encode() not in b"".join(files.values())


def test_written_files_are_the_digested_ones_and_readable(tmp_path: Path) -> None:
    made = write_bundle(job(str(tmp_path / "ada")), SHOP.signer)
    files = {path.name: path.read_bytes() for path in (tmp_path / "ada").iterdir()}
    assert made.content == content_digest(files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ada").iterdir()} == {0o644}
    with pytest.raises(FileExistsError):
        write_bundle(job(str(tmp_path / "ada")), SHOP.signer)


def test_the_digest_covers_every_file_and_its_borders() -> None:
    files = SHOP.bundle("ada")
    full = {**files, "WELCOME.html": b"<p>"}
    digests = {content_digest(files), content_digest(full), content_digest({**full, "WELCOME.html": b"<b>"})}
    moved = {**files, "config.yaml": files["config.yaml"] + files[SEALED_ENV][:1], SEALED_ENV: files[SEALED_ENV][1:]}
    assert len(digests | {content_digest(moved)}) == 4


def test_a_failure_for_one_user_is_a_value(tmp_path: Path) -> None:
    maker = InProcessMaker(SHOP.signer)
    (bad,) = maker.push(job(str(tmp_path / "bad"), ("not a recipient",)))
    (lost,) = maker.push(job(str(tmp_path / "missing" / "ada")))
    (good,) = maker.push(job(str(tmp_path / "good")))
    assert "recipient" in bad.error
    assert "cannot write" in lost.error
    assert (good.error, list(maker.finish())) == ("", [])
    assert not (tmp_path / "bad").exists()
    with pytest.raises(BadRecipientError):
        bundle_files(job("", ("not a recipient",)), SHOP.signer)
