"""Runs commands that hold keys on a full disk, with closed output and under signals, and looks for the keys. A program.

Each case is a process in a copy of the same world. Afterwards no byte of a key, as it is, in base64 or in hex, may be in what was
printed, nor in any file but where keys belong. Prints one JSON object.

usage: canary_driver.py FOLDER COUNT SEED [COMMAND…]   (COUNT: how often each command meets each trouble)
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "craft"))

import videocraft
from fault_world import World
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from provision.aisa.simulator import Simulator
from provision.scratch import Scratch

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
MADE_UP = re.compile(rb"sk-aisa-[A-Za-z0-9_-]{40,}")
SEQUENCE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>78]")
"""What a terminal shows nothing of."""
ASK = "import os; print(len(os.environ['AISA_API_KEY']))"
SIGNALS = {"TERM": signal.SIGTERM, "INT": signal.SIGINT, "HUP": signal.SIGHUP, "KILL": signal.SIGKILL}
TROUBLES = ("full", "closed", *SIGNALS)
MAY_HOLD = (Scratch.DATABASE, Scratch.VIDEO)
"""Temporary folders that may hold what was in the user's own file, after a kill and until the next command of the kind."""


@dataclass(frozen=True)
class Command:
    """A command line; `{NAME}` is a path of the world."""

    words: tuple[str, ...]
    machine: bool = False
    terminal: bool = False
    """Whether it runs on a terminal, which then closes in place of standard output."""


SHOWS = "for n in 1 2 3; do cat {folder}/page.txt; sleep 0.1; done"
COMMANDS = {
    "run": Command(("run", "--home", "{home}", "--", sys.executable, "-c", ASK), machine=True),
    "install": Command(("install", "{folder}/bundle", "--home", "{folder}/another/.hermes"), machine=True),
    "package": Command(("package", "ada", "--for", "deb", "-o", "{folder}/package")),
    "package-rpm": Command(("package", "ada", "--for", "rpm", "-o", "{folder}/package")),
    "package-intune": Command(("package", "ada", "--for", "intune", "-o", "{folder}/package")),
    "package-pkg": Command(("package", "ada", "--for", "pkg", "-o", "{folder}/package")),
    "package-jamf": Command(("package", "ada", "--for", "jamf", "-o", "{folder}/package")),
    "package-munki": Command(("package", "ada", "--for", "munki", "-o", "{folder}/package")),
    "picture": Command(("redact", "-o", "{folder}/new.png", "{folder}/old.png"), machine=True),
    "video": Command(("redact", "-o", "{folder}/new.mp4", "{folder}/old.mp4"), machine=True),
    "zip": Command(("redact", "-o", "{folder}/new.zip", "{folder}/old.zip"), machine=True),
    "text": Command(("redact", "-o", "{folder}/new.txt", "{folder}/page.txt"), machine=True),
    "cast": Command(("redact", "-o", "{folder}/new.cast", "{folder}/old.cast"), machine=True),
    "typescript": Command(("redact", "-o", "{folder}/typescript.new", "{folder}/typescript"), machine=True),
    "live": Command(("redact", "--exec", "--", "sh", "-c", SHOWS), machine=True, terminal=True),
    "piped": Command(("redact", "--exec", "--", "sh", "-c", SHOWS), machine=True),
    "pull": Command(("pull", "{address}", "--home", "{folder}/another/.hermes"), machine=True),
    "checklist": Command(("checklist", "{folder}/page.txt", "-o", "{folder}/checklist"), machine=True),
    "audit": Command(("audit", "{home}", "-f", "json", "-o", "{folder}/audit.json"), machine=True),
    "uninstall": Command(("uninstall", "--home", "{home}"), machine=True),
    "fix": Command(("audit", "{home}", "--fix", "--yes"), machine=True),
    "render": Command(("render", "--force")),
    "publish": Command(("publish", "{feed}")),
    "import": Command(("keys", "import", "{folder}/new.csv")),
    "validate": Command(("validate", "--probe", "key,models,chat", "--yes")),
    "rotate": Command(("rotate", "start", "--from", "{folder}/new.csv", "--waves", "100%", "--idle-for", "0", "--yes")),
    "leaked": Command(("rotate", "leaked", "ada", "--from", "{folder}/leaked.csv")),
    "demo": Command(("demo",)),
}


class CanaryRun:
    """The world before each case, and what was found."""

    def __init__(self, folder: Path, sim: Simulator, chance: random.Random) -> None:
        self.world, self.chance, self.kept = World(folder, sim), chance, folder / "kept"
        world = self.world
        (world.root / "profiles" / "runner.yaml").write_text("extends: team\nsecret_delivery: run\n")
        world.quiet(("users", "move", "ada", "--profile", "runner"))
        world.quiet(("render",))
        world.quiet(("install", "{root}/dist/ada", "--home", "{home}"), machine=True)
        world.quiet(("publish", "{feed}"))
        world.serve()
        key = world.canaries[1].decode()
        _record(world.folder, key)
        _draw(world.folder / "old.png", key)
        videocraft.record(world.folder / "plain.mp4", 1, 7)
        tagged = ("-i", "plain.mp4", "-c", "copy", "-metadata", f"comment={key}", "old.mp4")
        subprocess.run(["ffmpeg", "-v", "error", *tagged], cwd=world.folder, check=True, timeout=60)
        places = ("old.png", "old.mp4", "old.cast", "typescript", "another/.hermes/.env")
        self.inputs = {*world.allowed(), *(world.folder / name for name in places)}
        self.forms = [form for canary in world.canaries for form in _forms(canary)]
        shutil.copytree(world.folder, self.kept, symlinks=True)
        planted = world.folder / "tmp" / "planted"
        planted.write_bytes(base64.b64encode(world.canaries[0]))
        assert list(self._holding("full", "run")) == [planted], "a key is seen, and only where it may not be"
        self.problems: list[str] = []
        self.seconds: dict[str, float] = {}

    def try_case(self, name: str, trouble: str) -> None:
        """One command under one trouble; what is wrong is added to the problems."""
        if name not in self.seconds:
            began = time.monotonic()
            code, _, err = self._run(name, "")
            self.seconds[name] = time.monotonic() - began
            if code not in {0, 4, 10}:
                self.problems.append(f"{name}: exit {code} without any trouble: {err[-300:]!r}")
        _, out, err = self._run(name, trouble)
        for stream, text in (("stdout", out), ("stderr", err)):
            if any(form in text for form in self.forms) or (name == "demo" and MADE_UP.search(text)):
                self.problems.append(f"{name} {trouble}: a key in {stream}")
        self.problems += [f"{name} {trouble}: a key in {path}" for path in self._holding(trouble, name)]
        self._unmount()

    def _run(self, name: str, trouble: str) -> tuple[int, bytes, bytes]:
        world, command = self.world, COMMANDS[name]
        self._unmount()
        shutil.rmtree(world.folder)
        world.folder.mkdir()
        if trouble == "full":
            spare = self.chance.choice((0, 4, 16, 64, 256, 1024)) << 10
            size = sum(-(-path.lstat().st_size // 4096) * 4096 + 4096 for path in self.kept.rglob("*")) + spare
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", world.folder], check=True)
        shutil.copytree(self.kept, world.folder, symlinks=True, dirs_exist_ok=True)
        known = {"folder": world.folder, "root": world.root, "home": world.home, "feed": world.feed}
        known |= {"address": world.address()}
        words = [sys.executable, "-m", "provision", *(word.format(**known) for word in command.words)]
        shown, output, stdin = self._output(trouble, command)
        process = subprocess.Popen(
            words,
            cwd=world.folder if command.machine else world.root,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=os.environ
            | {
                "HOME": str(world.home.parent),
                "PROVISION_CONFIG_DIR": str(world.config if command.machine else world.operator),
            },
        )
        os.close(output)
        lines: list[bytes] = []
        reader = threading.Thread(target=_read, args=(shown, lines))
        if shown is not None:
            reader.start()
        if trouble in SIGNALS:
            time.sleep(self.chance.uniform(0.2, 1.0) * self.seconds[name])
            process.send_signal(SIGNALS[trouble])
        _, err = process.communicate(timeout=240)
        if shown is not None:
            reader.join(timeout=240)
        return process.returncode, SEQUENCE.sub(b"", b"".join(lines)), err

    def _output(self, trouble: str, command: Command) -> tuple[int | None, int, int]:
        """Where to read what is shown (None where nothing can be), standard output and standard input."""
        reader, writer = pty.openpty() if command.terminal else os.pipe()
        if command.terminal:
            fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        if trouble == "closed":
            os.close(reader)
        return None if trouble == "closed" else reader, writer, writer if command.terminal else subprocess.DEVNULL

    def _holding(self, trouble: str, name: str) -> Iterator[Path]:
        """Files that hold a key and may not."""
        for path in self.world.folder.rglob("*"):
            if path.is_symlink() or not path.is_file() or path in self.inputs:
                continue
            inside = path.relative_to(self.world.folder).parts
            kind = inside[1].removeprefix("provision-").rpartition("-")[0] if inside[0] == "tmp" else ""
            if trouble in SIGNALS and kind in MAY_HOLD:
                continue
            data = path.read_bytes()
            made_up = name == "demo" and inside[0] == "tmp" and kind != Scratch.DEMO and MADE_UP.search(data)
            if made_up or any(form in data for form in self.forms):
                yield path

    def _unmount(self) -> None:
        while os.path.ismount(self.world.folder):
            subprocess.run(["umount", "-l", self.world.folder], check=True)


def _forms(canary: bytes) -> Iterator[bytes]:
    """The key, its middle, and both in other encodings, whatever stands before them."""
    yield canary
    yield canary[8:40]
    yield canary.hex().encode()
    for shift in range(3):
        yield base64.b64encode(b"x" * shift + canary)[4:-4]


def _read(shown: int, lines: list[bytes]) -> None:
    """Everything up to the end; a terminal that was closed ends with an error."""
    with os.fdopen(shown, "rb", buffering=0) as pipe, suppress(OSError):
        while data := pipe.read(1 << 16):
            lines.append(data)


def _record(folder: Path, key: str) -> None:
    """Recordings in which a key is typed in pieces and shown in two colours."""
    half = len(key) // 2
    parts = ["$ export AISA_API_KEY=", key[:5], key[5:half], f"\x1b[31m{key[half:]}\x1b[0m", "\r\n", f"echo {key}\r\n"]
    head = {"version": 2, "width": 80, "height": 24}
    events = ([at / 10, "o", part] for at, part in enumerate(parts))
    (folder / "old.cast").write_text("".join(f"{json.dumps(line)}\n" for line in (head, *events)))
    (folder / "typescript").write_text("Script started on 2026-06-01\n" + "".join(parts) + "\nScript done\n")


def _draw(path: Path, key: str) -> None:
    image = Image.new("RGB", (900, 120), "#1e1e1e")
    ImageDraw.Draw(image).text((12, 40), f"AISA_API_KEY={key}", fill="#d4d4d4", font=ImageFont.truetype(FONT, 15))
    notes = PngInfo()
    notes.add_text("Comment", key)
    image.save(path, pnginfo=notes)


def main(folder: Path, count: int, seed: int, names: Sequence[str]) -> dict[str, object]:
    chance = random.Random(seed)
    tried: Counter[str] = Counter()
    with Simulator() as sim:
        run = CanaryRun(folder, sim, chance)
        try:
            for name in names or COMMANDS:
                for trouble in TROUBLES * count:
                    run.try_case(name, trouble)
                    tried[trouble] += 1
                print(name, dict(tried), *run.problems, file=sys.stderr, flush=True)
        finally:
            run._unmount()
    return {"tried": dict(tried), "problems": run.problems}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])))
