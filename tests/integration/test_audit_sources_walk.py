"""Files and folders of every kind, made to be found or made to stop a scan."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sourcescraft import a_key, look_through

from provision.containers import file_reader as content
from provision.containers.blob import ReadLimits

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that another user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="provision-walk-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Not root for a while: root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_hidden_ignored_and_oddly_named_files_are_found(tmp_path: Path) -> None:
    names = [b".env", b"a\nb", b"\x1b[31mred", b"caf\xe9", b"x" * 255, b"-rf", b" "]
    keys = []
    for name in names:
        keys.append(a_key())
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(f"k={keys[-1]}\n")
    (tmp_path / ".gitignore").write_text("*\n")
    (tmp_path / "node_modules" / ".cache").mkdir(parents=True)
    (tmp_path / "node_modules" / ".cache" / "f").write_text(keys[0])
    result = look_through(tmp_path)
    assert all(result.keys()[key] == 1 for key in keys[1:])
    assert result.keys()[keys[0]] == 2
    assert not result.unread


def test_secrets_in_names(tmp_path: Path) -> None:
    file, folder = a_key(), a_key()
    (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        (tmp_path / folder / name).write_text("x")
    (tmp_path / f"{file}.txt").write_text("x")
    result = look_through(tmp_path)
    assert result.keys() == {file: 1, folder: 1}
    assert result.where(folder) == ["its own name"]


def test_links_are_not_followed_out_and_what_holds_nothing_is_named(tmp_path: Path) -> None:
    key, inside = a_key(), a_key()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text(key)
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (root / "d" / "f").write_text(inside)
    (root / "out").symlink_to(outside)
    (root / "out_file").symlink_to(outside / "f")
    (root / "in").symlink_to(root / "d")
    (root / "broken").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(root / "s"))
    result = look_through(root)
    assert result.keys() == {inside: 1}
    assert not result.reasons(failed=True)
    assert len(result.unread) == 7, result.unread  # each but the link to what is met anyway
    (tmp_path / "link").symlink_to(root)
    assert look_through(tmp_path / "link").keys() == {inside: 1}, "a named link is followed"
    assert look_through(root / "out_file").keys() == {key: 1}


def test_roots_inside_each_other_are_gone_through_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_text(key := a_key())
    assert look_through(tmp_path / "a" / "f", tmp_path, tmp_path / "a").keys() == {key: 1}


def test_what_cannot_be_read_is_said(public: Path) -> None:
    (public / "open").write_text(key := a_key())
    (public / "closed").write_text(a_key())
    (public / "folder").mkdir()
    (public / "folder" / "f").write_text(a_key())
    (public / "closed").chmod(0)
    (public / "folder").chmod(0)
    look_through(public / "open")  # what is imported late is imported as root
    with as_nobody():
        result = look_through(public, public / "missing")
    assert result.keys() == {key: 1}
    assert sorted(Path(u.path).name for u in result.unread if u.failed) == ["closed", "folder", "missing"]
    assert set(result.reasons()) == {"permission denied", "no such file or directory"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_devices_pipes_and_endless_files_end(tmp_path: Path) -> None:
    started = time.monotonic()
    os.mkfifo(tmp_path / "fifo")
    result = look_through(
        "/dev/zero", "/dev/tty", tmp_path / "fifo", "/proc/self/mem", "/proc/kmsg", "/proc/sys/kernel"
    )
    assert {"/dev/zero", str(tmp_path / "fifo"), "/proc/self/mem"} <= {u.path for u in result.unread if u.failed}
    assert time.monotonic() - started < 45


def test_a_file_that_grows_while_it_is_read_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x\n" * (5 << 20))
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab") as file:
            while not stop.is_set():
                file.write(b"y\n" * (1 << 20))

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        result = look_through(path, limits=ReadLimits(growth_bytes=4 << 20))
    finally:
        stop.set()
        thread.join()
    assert [u.failed for u in result.unread] == [True]
    assert "grows" in result.unread[0].reason


def test_a_sparse_file_costs_what_it_holds_and_tells_the_place(tmp_path: Path) -> None:
    key, at = a_key(), 40 << 30
    with (tmp_path / "sparse").open("wb") as file:
        file.write(b"begin\n")
        file.seek(at)
        file.write(f"\nk={key}\n".encode())
        file.truncate(80 << 30)
    started = time.monotonic()
    assert look_through(tmp_path / "sparse").where(key) == [f"byte {at + 3}"]
    assert time.monotonic() - started < 45


def test_folders_too_deep_for_a_path_are_reported(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    try:
        for _ in range(300):
            Path("d" * 20).mkdir()
            os.chdir("d" * 20)
    finally:
        os.chdir("/")
    (tmp_path / "f").write_text(key := a_key())
    result = look_through(tmp_path)
    assert result.keys() == {key: 1}
    assert len(result.unread) == 1
    assert result.unread[0].failed
    subprocess.run(["rm", "-rf", str(tmp_path / ("d" * 20))], check=True)


def test_standard_input_in_any_form(tmp_path: Path) -> None:
    import gzip

    key = a_key()
    text = b"line\nk=" + key.encode() + b"\n"
    assert look_through(stdin=io.BytesIO(text)).places(key) == ["<stdin>:2:3"]
    assert look_through(stdin=io.BytesIO(gzip.compress(text))).places(key) == ["<stdin>:2:3 (stdin!stdin)"]
    assert not look_through(stdin=io.BytesIO()).found
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    with os.fdopen(reader):
        assert look_through(f"/dev/fd/{reader}").places(key) == [f"/dev/fd/{reader}:2:3"]


def test_lines_and_columns_hold_across_chunks_of_a_large_file(tmp_path: Path) -> None:
    keys = [a_key() for _ in range(60)]
    filler = "word " * 40_000
    lines = [f"{filler[: 977 * i]}é k={key} tail" for i, key in enumerate(keys)]
    (tmp_path / "big.log").write_text("\n".join(lines) + "\n" + "ok\n" * (3 << 20))
    result = look_through(tmp_path / "big.log")
    for number, (line, key) in enumerate(zip(lines, keys, strict=True), 1):
        column = line.encode().index(key.encode()) + 1
        assert result.places(key) == [f"{tmp_path}/big.log:{number}:{column}"]


@pytest.mark.hostile
def test_settings_that_escape_nest_or_multiply(tmp_path: Path) -> None:
    key, escaped = a_key(), a_key()
    laughs = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 30))
    (tmp_path / "bomb.yaml").write_text(f"l0: &l0 [x, x]\n{laughs}api_key: {key}\n")
    (tmp_path / "deep.yaml").write_text("[" * 100_000 + key)
    (tmp_path / "deep.json").write_text('{"a":' * 100_000 + f'"{key}"')
    many = "".join(f'k{i}: "\\x41{i}"\n' for i in range(30_000))
    (tmp_path / "hidden.yaml").write_text(f'{many}é: {{api_key: "\\U00000073\\U0000006b{escaped[2:]}"}}\n')
    started = time.monotonic()
    result = look_through(tmp_path)
    assert result.keys() == {key: 3, escaped: 1}
    assert result.places(escaped) == [f'{tmp_path}/hidden.yaml:30001:15 ("é".api_key)']
    assert f"{tmp_path}/bomb.yaml:31:10 (api_key)" in result.places(key)
    assert not result.unread
    assert time.monotonic() - started < 45


def test_what_stands_beside_a_secret_shows_no_other(tmp_path: Path) -> None:
    first, second, third = a_key(), a_key(), a_key()
    (tmp_path / "f").write_text(f"a {first} b {second} c {third} d\n")
    shown = "".join(f.before + f.after for f in look_through(tmp_path).found)
    assert "****" in shown
    for key in (first, second, third):
        assert not any(key[i : i + 6] in shown for i in range(8, len(key) - 6))


def test_workers_find_the_same_and_one_that_dies_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provision.audit import scan as scanning
    from provision.audit import tasks

    keys = {a_key() for _ in range(300)}
    for i, key in enumerate(sorted(keys)):
        (tmp_path / f"{i:03}").write_text(f"k={key}\n")
    monkeypatch.setattr(scanning, "_HERE_FILES", 0)
    assert set(look_through(tmp_path, workers=3).keys()) == keys
    elsewhere = threading.Thread(target=time.sleep, args=(0.5,))
    elsewhere.start()  # a process with threads is not forked: its workers are started fresh
    assert set(look_through(tmp_path, workers=2).keys()) == keys
    elsewhere.join()
    real = tasks.read_task

    def deadly(task, limits, watch):  # type: ignore[no-untyped-def]
        if task.path.endswith("/150"):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(task, limits, watch)

    monkeypatch.setattr(tasks, "read_task", deadly)
    result = look_through(tmp_path, workers=2)
    assert len(result.keys()) == len(keys) - 1
    assert [(u.path, u.failed) for u in result.unread] == [(f"{tmp_path}/150", True)]
    assert "SIGKILL" in result.unread[0].reason


def test_the_environment_of_running_programs(tmp_path: Path) -> None:
    key, argument = a_key(), a_key()
    process = subprocess.Popen(["sleep", "60"], env={"OTHER": "x", "AISA_API_KEY": key})
    named = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "--key", argument])
    try:
        time.sleep(0.5)
        result = look_through(environ=True)
    finally:
        process.kill()
        process.wait()
        named.kill()
        named.wait()
    assert result.where(key) == [f"pid {process.pid}:AISA_API_KEY"]
    assert result.where(argument) == [f"pid {named.pid}:command line"]


def test_a_hermes_home_brings_what_its_owner_has_elsewhere(tmp_path: Path) -> None:
    user, keys = tmp_path / "ada", [a_key() for _ in range(4)]
    home = user / ".hermes"
    home.mkdir(parents=True)
    (home / "config.yaml").write_text(f"model: {{api_key: {keys[0]}}}\n")
    (user / ".bash_history").write_text(f"hermes config set AISA_API_KEY {keys[1]}\n")
    (user / ".config" / "systemd" / "user").mkdir(parents=True)
    (user / ".config" / "systemd" / "user" / "hermes.service").write_text(f"Environment=AISA_API_KEY={keys[2]}\n")
    (user / "notes.txt").write_text(keys[3])
    homes: list[Path] = []
    result = look_through(home, companions=True, on_home=homes.append)
    assert homes == [home]
    assert set(result.keys()) == set(keys[:3])
    assert set(look_through(home).keys()) == set(keys[:1])
    assert result.where(keys[0]) == ["model.api_key"]


def test_what_is_appended_between_a_look_at_a_file_and_reading_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, path = a_key(), tmp_path / "agent.log"
    path.write_text("begin\n")
    real = content.read_at

    def late(descriptor: int, length: int, offset: int) -> bytes:
        if "key" not in path.read_text():
            path.write_text(f"begin\nkey={key}\n")
        return real(descriptor, length, offset)

    monkeypatch.setattr(content, "read_at", late)
    assert look_through(path).keys() == {key: 1}
