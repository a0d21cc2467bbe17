"""Publishing: what is written, what is kept to the byte, what is uploaded and in which order."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from bundlecraft import NOW, Shop, resigned, write_bundle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from feedcraft import SECRET, Publisher

from provision.errors import ProvisionError, UsageError
from provision.feed.index import NAMESPACE, address_of, parse_index
from provision.feed.publish import PublishStatus, state_folder
from provision.feed.published_parts import OtherTreeError
from provision.feed.upload import UploadedFile, parse_command, upload_tree
from provision.keys.age import generate_identity, load_identities
from provision.keys.feed_secret import BadFeedSecretError, feed_secret
from provision.signing.signed_text import verify_text


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    made = Publisher(tmp_path, Shop(users=("ada", "bob", "eve"), now=NOW))
    made.render()
    return made


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_again_changes_no_byte(publisher: Publisher) -> None:
    first = publisher.publish()
    assert {p.status for p in first.values()} == {PublishStatus.PUBLISHED}
    before = tree(publisher.tree)
    again = publisher.publish(now=NOW + timedelta(days=3))
    assert {p.status for p in again.values()} == {PublishStatus.UNCHANGED}
    assert tree(publisher.tree) == before
    assert publisher.summary is not None
    assert publisher.summary.parts_written == 0


@pytest.mark.parametrize("damage", ["flipped", "cut", "link", "gone"])
def test_a_damaged_tree_is_repaired(publisher: Publisher, tmp_path: Path, damage: str) -> None:
    """Also one whose file has the right size."""
    publisher.publish()
    before = tree(publisher.tree)
    path = publisher.bundle_path("ada")
    data = path.read_bytes()
    if damage == "flipped":
        path.write_bytes(data[:600] + bytes([data[600] ^ 1]) + data[601:])
    elif damage == "cut":
        path.write_bytes(data[:-1])
    else:
        path.unlink()
    if damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    done = publisher.publish()
    assert done["ada"].status is PublishStatus.PUBLISHED
    assert done["bob"].status is PublishStatus.UNCHANGED
    assert tree(publisher.tree) == before
    assert not path.is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes and links")
@pytest.mark.parametrize("damage", ["pipe", "device"])
def test_a_part_of_the_index_that_is_no_file_is_replaced(publisher: Publisher, damage: str) -> None:
    """It is not written into: a pipe would wait for a reader, and a device keep nothing."""
    publisher.publish()
    before = tree(publisher.tree)
    path = min((publisher.tree / "index").iterdir())
    path.unlink()
    if damage == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(os.devnull)
    publisher.publish()
    assert tree(publisher.tree).keys() == before.keys()
    assert not path.is_symlink()
    publisher.publish()
    assert publisher.summary is not None
    assert publisher.summary.parts_written == 0


def test_the_tree_of_another_workspace_is_left_alone(publisher: Publisher) -> None:
    publisher.publish()
    before = tree(publisher.tree)
    publisher.shop.workspace_id = "ee" * 16
    publisher.render(force=True)
    with pytest.raises(OtherTreeError, match=r"holds the feed of workspace 0f0f.*this is workspace eeee"):
        publisher.publish()
    assert tree(publisher.tree) == before


def test_a_bundle_of_another_workspace_is_not_published(publisher: Publisher) -> None:
    files = {p.name: p.read_bytes() for p in (publisher.dist / "ada").iterdir()}
    write_bundle(resigned(files, publisher.shop.signer, workspace="ee" * 16), publisher.dist / "ada")
    done = publisher.publish()
    assert done["ada"].status is PublishStatus.FAILED
    assert "belongs to workspace eeee" in done["ada"].message
    assert done["bob"].status is PublishStatus.PUBLISHED


def test_half_way_through_its_life_an_index_is_signed_anew(publisher: Publisher) -> None:
    publisher.publish()
    before = parse_index(verify_text(publisher.index_path("ada").read_bytes(), NAMESPACE)[0])
    publisher.publish(now=NOW + timedelta(days=4))
    after = parse_index(verify_text(publisher.index_path("ada").read_bytes(), NAMESPACE)[0])
    assert after.version > before.version
    assert after.expires > before.expires
    assert after.endpoints == before.endpoints


def test_versions_grow_even_when_the_clock_does_not(publisher: Publisher) -> None:
    publisher.publish()
    before = parse_index(verify_text(publisher.index_path("ada").read_bytes(), NAMESPACE)[0])
    publisher.publish(("bob", "eve"), now=NOW - timedelta(days=9))
    after = parse_index(verify_text(publisher.index_path("ada").read_bytes(), NAMESPACE)[0])
    assert after.version == before.version + 1
    assert not after.endpoints.keys() & {address_of(SECRET, "ada")}


def test_only_the_parts_of_changed_users_change(publisher: Publisher) -> None:
    publisher.publish()
    before = tree(publisher.tree)
    publisher.shop.now += timedelta(hours=1)
    publisher.shop.states = tuple(s for s in publisher.shop.states if s.user == "ada")
    publisher.render(force=True)
    done = publisher.publish()
    assert [u for u, p in done.items() if p.status is PublishStatus.PUBLISHED] == ["ada"]
    after = tree(publisher.tree)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {
        publisher.index_path("ada").relative_to(publisher.tree).as_posix(),
        *(name for name in after if name not in before),
    }
    assert len(changed) == 2


def test_no_name_tells_a_user_and_the_index_no_address(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, Shop(users=("an-ordinary-user", "somebody.else"), now=NOW))
    publisher.render()
    publisher.publish()
    for name, data in tree(publisher.tree).items():
        for user in publisher.shop.users:
            assert user not in name
            if name.startswith("index/"):
                assert user.encode() not in data
                assert address_of(SECRET, user).encode() not in data


def test_an_unfit_bundle_keeps_what_was_published(publisher: Publisher) -> None:
    publisher.publish()
    before = tree(publisher.tree)
    for name, data in publisher.shop.bundle("ada", generation=2_000_000_000).items():
        (publisher.dist / "ada" / name).write_bytes(data)
    (publisher.dist / "ada" / "config.yaml").write_text("model: {default: evil}\n")
    done = publisher.publish(now=NOW + timedelta(hours=1))
    assert done["ada"].status is PublishStatus.FAILED
    assert "is not the signed file" in done["ada"].message
    assert tree(publisher.tree) == before


def test_what_is_published_does_not_follow_a_file_that_was_altered(publisher: Publisher) -> None:
    publisher.publish()
    before = tree(publisher.tree)
    (publisher.dist / "ada" / "config.yaml").write_text("model: {default: evil}\n")
    assert publisher.publish()["ada"].status is PublishStatus.UNCHANGED
    assert tree(publisher.tree) == before


def test_an_expired_bundle_is_named(publisher: Publisher) -> None:
    publisher.publish()
    done = publisher.publish(now=NOW + timedelta(days=91))
    assert {p.status for p in done.values()} == {PublishStatus.FAILED}
    assert "expired" in done["ada"].message


def test_an_older_dist_is_not_published(publisher: Publisher) -> None:
    publisher.shop.now += timedelta(days=1)
    publisher.render(force=True)
    publisher.publish()
    publisher.shop.now -= timedelta(days=1)
    for user in publisher.shop.users:
        for name, data in publisher.shop.bundle(user).items():
            (publisher.dist / user / name).write_bytes(data)
    done = publisher.publish(now=NOW + timedelta(days=1))
    assert {p.status for p in done.values()} == {PublishStatus.FAILED}
    assert "published is" in done["ada"].message


def test_a_part_that_somebody_else_signed_is_written_anew(publisher: Publisher) -> None:
    publisher.publish()
    good = publisher.index_path("ada").read_bytes()
    stranger = Publisher(publisher.tree.parent, publisher.shop)
    stranger.key = Ed25519PrivateKey.generate()
    index = publisher.index_path("ada")
    from provision.signing.signed_text import sign_text

    index.write_bytes(sign_text(verify_text(good, NAMESPACE)[0], stranger.key, NAMESPACE))
    publisher.publish()
    assert index.read_bytes() == good


def bundles_of(publisher: Publisher, user: str) -> list[str]:
    folder = publisher.tree / "e" / address_of(SECRET, user)
    return sorted(path.name for path in folder.iterdir())


def test_a_feed_keeps_three_generations_however_often_it_is_published(publisher: Publisher) -> None:
    made: list[str] = []
    for hour in range(8):
        publisher.shop.now = NOW + timedelta(hours=hour)
        publisher.render(force=True)
        publisher.publish()
        made += set(bundles_of(publisher, "ada")) - set(made)
        os.utime(publisher.tree / "e" / address_of(SECRET, "ada") / made[-1], (NOW.timestamp() + hour,) * 2)
    assert len(made) == 8
    assert bundles_of(publisher, "ada") == sorted(made[-3:])
    publisher.keep = 1
    publisher.publish()
    assert bundles_of(publisher, "ada") == made[-1:]


def test_what_no_index_names_is_swept(publisher: Publisher) -> None:
    """The bundles of a user who left stay for a life of the index, then their folder goes; a killed run's files go at once."""
    publisher.publish()
    folder = publisher.tree / "e" / address_of(SECRET, "ada")
    (folder / f".{'0' * 64}.tar.0123456789ab.provision-new").write_bytes(b"half")
    (publisher.tree / "index" / ".0a3.json.0123456789ab.provision-new").write_bytes(b"half")
    (folder / "notes.txt").write_text("not of provision")
    publisher.publish(("bob", "eve"))
    assert len(bundles_of(publisher, "ada")) == 2
    assert not list(publisher.tree.rglob("*.provision-new"))
    later = NOW + timedelta(days=365 * 30)
    publisher.publish(("bob", "eve"), now=later)
    assert bundles_of(publisher, "ada") == ["notes.txt"]
    (folder / "notes.txt").unlink()
    publisher.publish(("bob", "eve"), now=later)
    assert not folder.exists()


def test_old_bundles_stay_for_a_life_of_the_index(publisher: Publisher) -> None:
    publisher.publish()
    old = publisher.bundle_path("ada")
    publisher.shop.now += timedelta(hours=1)
    publisher.render(force=True)
    publisher.publish()
    assert old.exists()
    moment = (publisher.shop.now - timedelta(days=8)).timestamp()
    os.utime(old, (moment, moment))
    publisher.publish()
    assert not old.exists()
    publisher.bundle_path("ada")


def test_a_bundle_that_was_listed_for_long_stays_for_readers_of_the_part_before(publisher: Publisher) -> None:
    """A cache may serve the previous part for its whole lifetime: what counts is when the index stopped listing a bundle."""
    publisher.publish()
    old = publisher.bundle_path("ada")
    moment = (NOW - timedelta(days=40)).timestamp()
    os.utime(old, (moment, moment))
    publisher.shop.now += timedelta(days=1)
    publisher.render(force=True)
    publisher.publish()
    assert old.exists()
    publisher.publish(now=publisher.shop.now + timedelta(days=6))
    assert old.exists()
    publisher.publish(now=publisher.shop.now + timedelta(days=8))
    assert not old.exists()


# ---- uploading


def run_upload(publisher: Publisher, command: Sequence[str]) -> list[UploadedFile]:
    assert publisher.summary is not None
    state = state_folder(publisher.tree)
    state.mkdir(exist_ok=True)
    return list(upload_tree(publisher.tree, publisher.summary, command, state))


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A command that copies into a folder, writes down what it did, and refuses what a file `refuse` names."""
    program = tmp_path / "put"
    program.write_text(
        "#!/bin/sh\n"
        f'if grep -qF "$2" {tmp_path}/refuse 2>/dev/null; then echo "no space" >&2; exit 3; fi\n'
        f'mkdir -p "{tmp_path}/bucket/$(dirname "$2")" && cp "$1" "{tmp_path}/bucket/$2"\n'
        f'echo "$2 $3" >> {tmp_path}/log\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def test_bundles_go_first_and_only_what_changed(publisher: Publisher, bucket: Path) -> None:
    command = parse_command(f"{bucket}/put {{path}} {{name}} {{cache}}")
    publisher.publish()
    assert all(u.ok for u in run_upload(publisher, command))
    log = (bucket / "log").read_text().splitlines()
    kinds = ["index" if line.startswith("index/") else "bundle" for line in log]
    assert kinds == sorted(kinds)
    assert {line.split(" ", 1)[1] for line in log} == {"public, max-age=31536000, immutable", "no-cache"}
    assert tree(bucket / "bucket") == tree(publisher.tree)
    assert run_upload(publisher, command) == []


def test_an_index_waits_for_its_bundle(publisher: Publisher, bucket: Path) -> None:
    command = parse_command(f"{bucket}/put {{path}} {{name}} x")
    publisher.publish()
    bundle = publisher.bundle_path("ada").relative_to(publisher.tree).as_posix()
    (bucket / "refuse").write_text(bundle + "\n")
    failed = [u for u in run_upload(publisher, command) if not u.ok]
    part = publisher.index_path("ada").relative_to(publisher.tree).as_posix()
    assert {u.name for u in failed} == {bundle, part}
    assert "no space" in failed[0].message
    assert not (bucket / "bucket" / part).exists()
    (bucket / "refuse").unlink()
    assert {u.name for u in run_upload(publisher, command)} == {bundle, part}
    assert tree(bucket / "bucket") == tree(publisher.tree)


@pytest.mark.parametrize("text", ["aws s3 cp", "put 'x {path}"])
def test_commands_that_cannot_work(text: str) -> None:
    with pytest.raises(UsageError):
        parse_command(text)


def test_a_command_that_is_not_there(publisher: Publisher) -> None:
    publisher.publish()
    failed = run_upload(publisher, ("/nonexistent/put", "{path}"))
    assert failed
    assert not any(u.ok for u in failed)


# ---- the secret


def test_the_secret_survives_a_change_of_operators(tmp_path: Path) -> None:
    people = []
    for name in ("one", "two"):
        secret, recipient = generate_identity()
        path = tmp_path / f"{name}.txt"
        path.write_text(secret.reveal() + "\n")
        path.chmod(0o600)
        people.append((load_identities(path), recipient))
    file = tmp_path / "feed.secret"
    (one, first), (two, second) = people
    with pytest.raises(BadFeedSecretError):
        feed_secret(file, [first], one, create=False)
    made = feed_secret(file, [first], one, create=True)
    with pytest.raises(ProvisionError):
        feed_secret(file, [first], two, create=True)
    assert feed_secret(file, [first, second], one, create=True) == made
    assert feed_secret(file, [first, second], two, create=True) == made
    assert made.hex() not in file.read_text()
    assert json.loads(file.read_text())["recipients"] == sorted([first, second])
    file.write_text("{}")
    with pytest.raises(BadFeedSecretError):
        feed_secret(file, [first], one, create=True)
