"""`redact --also`: names and addresses in every kind of text, on a real terminal, and what is said of pictures."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from commandcraft import PROVISION
from picturecraft import Look, font_of
from pictureproof import text_of
from redactcraft import aisa_key, pieces_left
from viewercraft import Viewer

from provision.cli.main import run

KEY = aisa_key("also")
ALSO = ["--also", "user=ada,host=box42", "--also", "cwd=/data/my secret,ip,email"]
TEXT = f"ada@box42:~/x$ curl 10.1.2.3 # {KEY} ask ada@corp.co.uk\ncd '/data/my secret/sub' && ssh bob@web\n"
GONE = ("ada", "box42", "10.1.2.3", "corp", "my secret", KEY[8:])


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))


def left(data: bytes | str) -> list[str]:
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    return [each for each in GONE if each in text]


def test_standard_input_and_a_file_have_the_same_stand_ins() -> None:
    Path("a.txt").write_text(TEXT)
    command = [str(PROVISION), "redact", *ALSO, "--mask", "fixed"]
    by_file = subprocess.run([*command, "a.txt"], capture_output=True, text=True, check=True).stdout
    assert by_file == (
        "user1@host1:/folder1$ curl 192.0.2.1 # [REDACTED] ask mail1@example.com\ncd '/folder2/sub' && ssh bob@web\n"
    )
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for letter in TEXT:
            process.stdin.write(letter)
            process.stdin.flush()
        process.stdin.close()
        assert process.stdout.read() == by_file


def test_files_of_every_kind_share_the_stand_ins(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ada.txt").write_text(TEXT)
    Path("b.json").write_text(json.dumps({"who": "ada", "at": ["10.1.2.3"], "cwd": "/data/my secret"}))
    with sqlite3.connect("c.db") as database:
        database.execute("create table t (a)")
        database.execute("insert into t values (?)", (TEXT,))
    database.close()
    with zipfile.ZipFile("d.zip", "w") as archive:
        archive.writestr("home/ada/x.txt", TEXT)
    with tarfile.open("e.tar", "w") as tar:
        member = tarfile.TarInfo("x")
        member.uname, member.size = "ada", len(TEXT)
        tar.addfile(member, io.BytesIO(TEXT.encode()))
    names = ["ada.txt", "b.json", "c.db", "d.zip", "e.tar"]
    assert run(["redact", *ALSO, *names, "-o", "safe/", "--report", "report.json"]) == 0
    assert sorted(path.name for path in Path("safe").iterdir()) == sorted(["user1.txt", *names[1:]])
    with zipfile.ZipFile("safe/d.zip") as archive:
        assert archive.namelist() == ["home/user1/x.txt"]
        unpacked = archive.read("home/user1/x.txt")
    found = [path.read_bytes() for path in Path("safe").iterdir()]
    assert not [left(data) for data in (*found, unpacked) if left(data)]
    assert json.loads(Path("safe/b.json").read_text()) == {"who": "user1", "at": ["192.0.2.1"], "cwd": "/folder2"}
    with tarfile.open("safe/e.tar") as tar:
        assert tar.getmember("x").uname == "user1"
    report = json.loads(Path("report.json").read_text())
    assert {place["tag"] for place in report["places"] if place["rule"] == "also-user"} == {"user1"}
    assert report["rules"]["also-ip"] == 5


def test_a_recording_keeps_its_layout_and_times() -> None:
    events: list[tuple[float, str, str]] = [
        (0.1 * at, "o", letter) for at, letter in enumerate("\x1b[32mada@box42\x1b[0m:~/x$ ls\r\n")
    ]
    events += [(9.0, "o", f"{KEY} by ada, adapter\r\n"), (9.5, "i", "ada\r"), (9.9, "o", "10.1.2.3 ada")]
    header = {"version": 2, "width": 90, "height": 20}
    Path("a.cast").write_text("".join(json.dumps(each) + "\n" for each in [header, *events]))
    assert run(["redact", *ALSO, "a.cast", "-o", "b.cast"]) == 0
    after = [json.loads(line) for line in Path("b.cast").read_text().splitlines()[1:]]
    assert [(time, kind, len(text)) for time, kind, text in after] == [
        (time, kind, len(text)) for time, kind, text in events
    ]
    shown = "".join(text for _, kind, text in after if kind == "o")
    assert shown.startswith("\x1b[32mu01@host1\x1b[0m:/f1$ ls\r\n")
    assert not pieces_left(KEY, shown)
    assert shown.endswith(" by u01, adapter\r\n******** u01")
    assert [text for _, kind, text in after if kind == "i"] == ["u01\r"]


def test_on_a_terminal_names_are_replaced_and_longer_words_are_not(tmp_path: Path) -> None:
    script = f"printf 'login ada on box42\\n'; sleep 0.2; printf '/data/my'; sleep 0.2; printf ' secret {KEY}\\n'; cat"
    with Viewer(tmp_path, ["sh", "-c", script], ALSO) as viewer:
        viewer.wait("login u01 on host1")
        viewer.wait("/folder00000001 [REDACTED")
        viewer.type_slowly("adapter ada 10.1.2.3 ")
        viewer.wait("adapter u01 ")
        viewer.settle(0.2)
        assert not left(viewer.text().replace("adapter", ""))


def test_a_picture_is_never_passed_over_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (200, 60), "white").save("a.png")
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write("a.png")
    for name in ("a.png", "a.zip"):
        assert run(["redact", *ALSO, name, "-o", "safe/"]) == 4
        assert (
            "a.png: --also cwd,email,host,ip,user is not covered where it was misread (check it by eye)"
            in capsys.readouterr().err
        )


@pytest.mark.parametrize("degrees", [0, 1])
def test_names_and_addresses_in_a_picture_are_covered(degrees: int) -> None:
    image, draw = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageDraw")
    pytest.importorskip("rapidocr")
    picture = image.new("RGB", (900, 140), "white")
    font = font_of(Look(1, "DejaVu Sans Mono", 14))
    for row, text in enumerate(("ada@box42:~/x$ curl 10.1.2.3", "ask ada@corp.co.uk about the adapter", KEY)):
        draw.Draw(picture).text((20, 20 + row * 36), text, "black", font)
    picture.rotate(-degrees, image.Resampling.BICUBIC, fillcolor="white").save("a.png")
    assert run(["redact", *ALSO, "a.png", "-o", "safe.png", "--report", "report.json"]) == 4
    read = text_of(np.asarray(image.open("safe.png").convert("RGB")))
    assert left(read.replace("adapter", "")) == []
    assert "curl" in read
    assert "about the adapter" in read
    places = [each for each in json.loads(Path("report.json").read_text())["places"] if each["rule"].startswith("also")]
    assert {each["tag"] for each in places} == {"user1", "host1", "/folder1", "192.0.2.1", "mail1@example.com"}
    assert all(each["where"].startswith("x ") for each in places)


@pytest.mark.parametrize("asked", ["phone", "user=", "ip=10.1.2.3", "", "user,,host"])
def test_an_unknown_kind_is_refused(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["redact", "--also", asked, "a.txt"]) == 2
    assert "invalid kind for --also" in capsys.readouterr().err


def test_without_a_value_it_is_this_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("USER", "cleo")
    monkeypatch.setattr("platform.node", lambda: "web77.corp.example")
    Path("a.txt").write_text(f"cleo on web77 is web77.corp.example in {tmp_path}/x\n")
    assert run(["redact", "--also", "user,host,cwd", "a.txt"]) == 0
    assert capsys.readouterr().out == "user1 on host1 is host2 in /folder1/x\n"
    for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "root")
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    assert run(["redact", "--also", "user", "a.txt"]) == 0
    assert "--also user: that of this machine is a common word" in capsys.readouterr().err
