"""Run the steps of the Dockerfile without docker: `python tests/craft/dockerfile_steps.py ROOT WHEEL`.

As root, in a folder made by `debootstrap --variant=minbase bookworm ROOT`. The base image is imitated by a Python in /usr/local:
that of the Debian release, so not 3.12. Every other step runs as it is written; an instruction that is not known is an error.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
_BASE = "apt-get update -qq && apt-get install -y -qq python3-venv && python3 -m venv /usr/local"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def build(root: Path, wheel: Path) -> list[str]:
    """Run the steps; returns the entry point. Raises CalledProcessError if a step fails, ValueError for an unknown one."""
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "DEBIAN_FRONTEND": "noninteractive"}
    user, folder, entry = "root", "/", list[str]()

    def run(command: str) -> None:
        print(f"--- {user} in {folder}: {command}", flush=True)
        words = ["chroot", f"--userspec={user}", str(root), "sh", "-ec", f"cd {folder}; {command}"]
        subprocess.run(words, env=environ, check=True)

    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")  # as docker does
    shutil.copyfile(_CERTIFICATES, root / "tmp/authorities.crt")  # for a proxy of this network
    environ["PIP_CERT"] = "/tmp/authorities.crt"
    for line in DOCKERFILE.read_text("utf-8").splitlines():
        word, _, rest = line.partition(" ")
        rest = re.sub(r"\$\{WHEEL\}", wheel.name, rest) if word != "RUN" else rest
        match word:
            case "FROM":
                run(_BASE)
            case "ARG":
                environ[rest] = wheel.name
            case "RUN":
                run(rest)
            case "COPY":
                shutil.copy(wheel, root / rest.split()[1].strip("/"))
            case "USER":
                user = f"{rest}:{rest}"
            case "WORKDIR":
                folder = rest
                (root / rest.strip("/")).mkdir(exist_ok=True)
            case "ENTRYPOINT":
                entry = json.loads(rest)
            case _ if line and not line.startswith("#"):
                raise ValueError(f"unknown instruction: {line}")
    environ["HOME"] = f"/home/{user.partition(':')[0]}"
    for arguments in ("--version", "--help >/dev/null", "init $HOME/acme --no-recovery", "-w $HOME/acme check"):
        run(f"{' '.join(entry)} {arguments}")
    run("id -u; ansible --version | head -1; age --version; git --version; ssh -V")
    return entry


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("run as root: it uses chroot")
    build(Path(sys.argv[1]), Path(sys.argv[2]))
