"""The bed leaves nothing behind: no process, no network device, no mount."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from bedcraft import Bed

pytestmark = pytest.mark.bed


def test_the_bed_takes_itself_away(tmp_path: Path) -> None:
    with Bed(tmp_path / "bed", 2) as bed:
        first, second = bed.hosts
        assert first.run("hostname").stdout == b"m001\n"
        assert bed.ssh(second, "hostname").stdout == b"m002\n"
        first.run("sh", "-c", "echo mine > /etc/mark")
        assert (first.written / "etc" / "mark").read_text() == "mine\n"
        assert second.run("cat", "/etc/mark", check=False).returncode != 0
        assert not Path("/etc/mark").exists()
        pids = [host.pid for host in bed.hosts]
        first.cut()
        assert bed.ssh(second, "true").returncode == 0
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    assert bed.bridge not in links
    assert first.link not in links
    assert not os.path.ismount(tmp_path / "bed" / "disks")
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
