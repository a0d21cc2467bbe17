"""Simulated machines: each with a network namespace, an address, a host name, processes, a disk of its own, and sshd.

    with Bed(folder, count=3) as bed:
        bed.hosts[0].run("hostname")
        bed.ssh(bed.hosts[0], "hostname")

A machine's disk is an overlay over this machine's: everything installed here is there too, what it writes is its own and can
be searched from outside (`Host.written`). When a machine's first process ends, the kernel takes everything else of it away;
`Bed` ends those processes by their ids and nothing else. Needs root, iproute2, util-linux, openssh-server and sudo.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import provision

ACCOUNT, ACCOUNT_ID = "alice", 61000
ADMIN, ADMIN_ID = "fleetadmin", 61001
PROGRAMS = ("ip", "unshare", "nsenter", "sshd", "ssh", "ssh-keygen", "sudo", "mount")
_DEADLINE_S = 30.0
_SPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")

_START = r"""
set -e
hostname {name}
mkdir -p {disk}/upper {disk}/work {disk}/root
mount -t overlay overlay -o lowerdir=/,upperdir={disk}/upper,workdir={disk}/work {disk}/root
cd {disk}/root
for folder in {open}; do chmod a+x ".$folder"; done
for folder in {hidden}; do if [ -d ".$folder" ]; then mount -t tmpfs -o size=64m tmpfs ".$folder"; fi; done
mount --rbind /dev dev; mount -t tmpfs -o mode=1777 tmpfs dev/shm; mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t proc proc proc; mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/sshd; rm -rf etc/hermes home/{account} home/{admin}
echo '127.0.0.1 localhost {name}' > etc/hosts
add() {{
  echo "$1:x:$2:$2::/home/$1:/bin/sh" >> etc/passwd; echo "$1:x:$2:" >> etc/group; echo "$1:*:19000:0:99999:7:::" >> etc/shadow
  mkdir -p "home/$1/.ssh"; cp {keys}/login.pub "home/$1/.ssh/authorized_keys"
  chmod 755 "home/$1"; chmod 700 "home/$1/.ssh"; chmod 600 "home/$1/.ssh/authorized_keys"; chown -R "$2:$2" "home/$1"
}}
add {account} {account_id}; add {admin} {admin_id}
echo '{admin} ALL=(ALL) NOPASSWD: ALL' > etc/sudoers.d/bed; chmod 440 etc/sudoers.d/bed
cp {keys}/host-{name} etc/ssh/bed_host_key; chmod 600 etc/ssh/bed_host_key
printf '%s\n' 'Port 22' 'HostKey /etc/ssh/bed_host_key' 'UsePAM no' 'PasswordAuthentication no' 'PermitRootLogin no' \
  'MaxStartups 200:30:400' 'PidFile /run/sshd.pid' 'Subsystem sftp internal-sftp' > etc/ssh/bed_sshd_config
exec chroot . /bin/sh -c '/usr/sbin/sshd -f /etc/ssh/bed_sshd_config -E /run/sshd.log; while :; do sleep 3600 & wait $!; done'
"""


class BedError(RuntimeError):
    """The bed cannot be made here."""


@dataclass(slots=True)
class Host:
    """One machine. `pid` is its first process, seen from outside."""

    name: str
    address: str
    link: str
    disk: Path
    pid: int
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def root(self) -> Path:
        """Its file system, through the kernel's own door."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def home(self) -> Path:
        """The account's home folder, seen from outside."""
        return self.root / "home" / ACCOUNT

    @property
    def written(self) -> Path:
        """Everything that was written on the machine's disk."""
        return self.disk / "upper"

    def line(
        self, *arguments: str | Path, account: str | None = None, environ: Mapping[str, str] | None = None
    ) -> list[str]:
        """A command line that runs inside of the machine, as root or as an account, in a clean environment."""
        enter = [
            "nsenter",
            "--target",
            str(self.pid),
            *("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd=/"),
        ]
        user = {None: 0, ACCOUNT: ACCOUNT_ID, ADMIN: ADMIN_ID}[account]
        home = f"/home/{account}" if account else "/root"
        base = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home, "LANG": "C.UTF-8"}
        variables = [f"{k}={v}" for k, v in {**base, **(environ or {})}.items()]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if account else []
        return [*enter, "env", "-i", *variables, *become, *map(str, arguments)]

    def run(
        self,
        *arguments: str | Path,
        account: str | None = None,
        environ: Mapping[str, str] | None = None,
        data: bytes | None = None,
        check: bool = True,
        timeout_s: float = 120,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside of the machine."""
        done = subprocess.run(
            self.line(*arguments, account=account, environ=environ),
            input=data if data is not None else b"",
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{self.name}: {arguments} ended with {done.returncode}: {done.stderr.decode()[-2000:]}"
            )
        return done

    def cut(self) -> None:
        """Take the network cable out."""
        _ip("link", "set", self.link, "down")

    def replug(self) -> None:
        """Put it in again."""
        _ip("link", "set", self.link, "up")

    def kill_sshd(self) -> None:
        """End sshd and every connection it holds, at once."""
        for pid in self._sshds():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start_sshd(self) -> None:
        """Start sshd again."""
        self.run("/usr/sbin/sshd", "-f", "/etc/ssh/bed_sshd_config", "-E", "/run/sshd.log")

    def _sshds(self) -> list[int]:
        space = Path(f"/proc/{self.pid}/ns/pid").readlink()
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                inside = folder.name.isdigit() and (folder / "ns" / "pid").readlink() == space
                if inside and (folder / "comm").read_text().startswith("sshd"):
                    found.append(int(folder.name))
        return found


class Bed:
    """`count` machines on one bridge. A context manager; leaving it takes all away."""

    def __init__(self, folder: Path, count: int, *, readable: Sequence[Path] = (), hidden: Sequence[Path] = ()) -> None:
        self.folder = folder
        self.hosts: list[Host] = []
        self._count = count
        self._readable = (Path(sys.prefix), Path(sys.base_prefix), Path(provision.__file__).parents[1], *readable)
        self._hidden = (folder, *hidden)
        self._tag = f"{os.getpid() % 10_000:04}{random.randrange(100):02}"
        self.bridge = f"hb{self._tag}"
        self._net = _free_net()
        self.gateway = f"{self._net}.0.1"

    @property
    def key(self) -> Path:
        """The private key that enters every machine."""
        return self.folder / "keys" / "login"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def __enter__(self) -> Bed:
        missing = [p for p in PROGRAMS if shutil.which(p, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
        if os.geteuid() != 0 or missing:
            raise BedError(f"the bed needs root and these programs: {', '.join(missing) or 'all there'}")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "keys").mkdir(mode=0o700, exist_ok=True)
        (self.folder / "disks").mkdir(exist_ok=True)
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4g", "tmpfs", self.folder / "disks"], check=True)
            _keygen(self.key)
            _ip("link", "add", self.bridge, "type", "bridge")
            _ip("addr", "add", f"{self.gateway}/16", "dev", self.bridge)
            _ip("link", "set", self.bridge, "up")
            for number in range(1, self._count + 1):
                self._add(number)
            self._wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the machines by their ids, then the network and the disks."""
        for host in self.hosts:
            host.process.kill()
            host.process.wait()
        ends = time.monotonic() + _DEADLINE_S
        while any(Path(f"/proc/{host.pid}").exists() for host in self.hosts) and time.monotonic() < ends:
            time.sleep(0.02)
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "del", self.bridge)
        for _ in range(50):  # the kernel takes a moment to let go of the overlays
            done = subprocess.run(["umount", self.folder / "disks"], capture_output=True, check=False)
            if done.returncode == 0 or not os.path.ismount(self.folder / "disks"):
                break
            time.sleep(0.1)
        else:
            subprocess.run(["umount", "-l", self.folder / "disks"], check=False)

    def _add(self, number: int) -> None:
        name = f"m{number:03}"
        address = f"{self._net}.{1 + number // 250}.{number % 250 + 2}"
        link = f"hv{self._tag}{number:03}"
        disk = self.folder / "disks" / name
        disk.mkdir(mode=0o755)
        key = self.folder / "keys" / f"host-{name}"
        _keygen(key)
        with self.known_hosts.open("a") as file:
            file.write(f"{address} {key.with_suffix('.pub').read_text()}")
        steps = [*{str(p): None for top in self._readable for p in (*reversed(top.parents), top)}][1:]
        script = _START.format(
            name=name,
            disk=disk,
            open=" ".join(steps),
            hidden=" ".join(map(str, self._hidden)),
            keys=self.folder / "keys",
            account=ACCOUNT,
            account_id=ACCOUNT_ID,
            admin=ADMIN,
            admin_id=ADMIN_ID,
        )
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                ["unshare", *_SPACES, "--fork", "--kill-child=KILL", "--propagation", "private", "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        child = _child(process.pid)
        self.hosts.append(Host(name, address, link, disk, child, process))
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(child))
        _ip("link", "set", link, "master", self.bridge, "up")
        inside = ["nsenter", "--target", str(child), "--net", "ip"]
        for words in (
            ("addr", "add", f"{address}/16", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
            ("route", "add", "default", "via", self.gateway),
        ):
            subprocess.run([*inside, *words], check=True, capture_output=True)

    def _wait(self) -> None:
        for host in self.hosts:
            self.wait_for(host)

    def wait_for(self, host: Host) -> None:
        """Until sshd greets."""
        ends = time.monotonic() + _DEADLINE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection((host.address, 22), timeout=2) as connection:
                connection.settimeout(2)
                if connection.recv(4) == b"SSH-":
                    return
            if time.monotonic() > ends or host.process.poll() is not None:
                logs = (self.folder / f"{host.name}.log", host.root / "run" / "sshd.log")
                said = "\n".join(log.read_text()[-2000:] for log in logs if log.exists())
                raise BedError(f"{host.name} does not answer on {host.address}, ended: {host.process.poll()}: {said}")
            time.sleep(0.05)

    def ssh_line(self, host: Host, command: str, *, login: str = ACCOUNT) -> list[str]:
        """`ssh` as an operator would call it by hand."""
        options = [
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            f"UserKnownHostsFile={self.known_hosts}",
        ]
        return ["ssh", "-F", "none", "-i", str(self.key), *options, f"{login}@{host.address}", command]

    def ssh(
        self, host: Host, command: str, *, login: str = ACCOUNT, data: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.ssh_line(host, command, login=login), input=data, capture_output=True, check=False, timeout=120
        )


def _free_net() -> str:
    """The first two numbers of a network that this machine has no way to yet; a killed run may have left a bridge with one."""
    taken = subprocess.run(["ip", "-4", "-o", "addr"], check=True, capture_output=True, text=True).stdout
    nets = [f"10.{number}" for number in range(64, 250)]
    return random.choice([net for net in nets if f" {net}." not in taken])


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], check=True)


def _child(pid: int) -> int:
    """The first process of the machine, as soon as it is there."""
    ends = time.monotonic() + _DEADLINE_S
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children:
                return int(children[0])
        time.sleep(0.005)
    raise BedError("a machine did not start")


def files_with(needle: bytes, folder: Path) -> Iterator[Path]:
    """Plain files below `folder` that hold `needle`."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and needle in path.read_bytes():
            yield path


@contextlib.contextmanager
def watched_processes() -> Iterator[set[bytes]]:
    """Every command line seen meanwhile, here and on all machines, whose processes are visible from here."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.03):
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    seen.add((folder / "cmdline").read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
