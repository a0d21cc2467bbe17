"""Make docs/media from the program itself: `python tests/craft/screenshots.py`.

A workspace of twelve users against the simulated gateway: one key leaked, one is disabled, one user has none. The pages are
photographed in Chromium, the terminal is recorded as asciicast. Then `provision checklist` examines all of it: a point that fails
ends the script, and the pictures are not kept.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from browsercraft import opened, running_browser
from rotatecraft import Fleet

from provision.aisa.simulator import KeyState, Simulator
from provision.keys.events.log import operator
from provision.report.fleet.trend import DaySummary, keep_summary

MEDIA = Path(__file__).parents[2] / "docs" / "media"
USERS = ("ada", "alan", "barbara", "dennis", "edsger", "frances", "grace", "john", "ken", "linus", "margaret", "tim")
COLUMNS, ROWS = 80, 30
TOUR = ("check", "validate", "rotate leaked ada", "rotate status")


def prepare(folder: Path, sim: Simulator) -> Fleet:
    """The workspace `acme`, with results of validate and audit."""
    fleet = Fleet(folder, sim, USERS)
    fleet.root = fleet.root.rename(folder / "acme")
    sim.set_key(fleet.keys["dennis"], KeyState.UNFUNDED)
    leaky = folder / "notes"
    leaky.mkdir()
    (leaky / "deploy.sh").write_text(f"export AISA_API_KEY={fleet.keys['ada']}\n")
    for words in (("validate",), ("audit", str(leaky))):
        fleet.provision(*words, "-f", "json", "-o", str(folder / f"{words[0]}.json"))
    results = ("--validated", str(folder / "validate.json"), "--audited", str(folder / "audit.json"))
    today, days = datetime.now(UTC).date(), []
    for back in range(25, 0, -1):  # so that the page has something to compare with
        days.append(DaySummary(today - timedelta(days=back), len(USERS), 12 - back // 4, {"overdue": back // 4}))
        keep_summary(fleet.root, days[:-1], days[-1])
    assert fleet.provision("report", *results, "-o", str(folder / "report.html")) == 10
    return fleet


def photograph(page: Path, target: Path) -> None:
    """The first screen of a page, on a desk and on a phone."""
    with running_browser() as browser:
        for name, width, height in (("report", 1280, 900), ("report-phone", 360, 780)):
            opened(browser, page, width, height).screenshot(path=target / f"{name}.png")


def record(fleet: Fleet, target: Path) -> None:
    """What a terminal of 80 columns shows for each command, with its times, as asciicast v2."""
    environ = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    started, lines = time.monotonic(), [{"version": 2, "width": COLUMNS, "height": ROWS, "title": "provision"}]
    events: list[list[object]] = []
    for words in TOUR:
        events.append([time.monotonic() - started, "o", f"$ provision {words}\r\n"])
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "provision", "-w", str(fleet.root), *words.split()]
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ):
            os.close(theirs)
            while data := _read(ours):
                events.append([time.monotonic() - started, "o", data.decode("utf-8", "replace")])
        os.close(ours)
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in [*lines, *events])
    text = text.replace(str(fleet.folder), "/work").replace(operator(), "operator@desk")
    (target / "tour.cast").write_text(text, "utf-8")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the program has ended
        return b""


def main() -> None:
    """Make the files aside, examine them, then put them in place."""
    with tempfile.TemporaryDirectory() as name, Simulator() as sim:
        folder, made = Path(name), Path(name, "media")
        made.mkdir()
        fleet = prepare(folder, sim)
        record(fleet, made)
        photograph(folder / "report.html", made)
        code = fleet.provision("checklist", str(made))
        print(fleet.out)
        if code != 0:
            sys.exit("a key can be read, or a file could not be: nothing is kept")
        shutil.copytree(made, MEDIA, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
