"""Every module is imported as on Windows: without the modules and functions that Python has only on POSIX."""

from __future__ import annotations

import json
import subprocess
import sys

IMPORT_ALL = """
import importlib, json, os, pkgutil, signal, sys
import provision

def names():
    for each in pkgutil.walk_packages(provision.__path__, "provision."):
        if ".collection." not in each.name and each.name != "provision.__main__":
            yield each.name

every = list(names())
for name in every:  # all that comes from elsewhere is imported as it is here
    importlib.import_module(name)
for name in [each for each in sys.modules if each.split(".")[0] == "provision"]:
    del sys.modules[name]
for name in ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None
ABSENT = {
    os: '''fork forkpty getuid geteuid getgid getegid getgroups setgroups setresuid setresgid seteuid setegid chown fchown lchown
        mkfifo mknod killpg getpgid setsid uname statvfs getxattr listxattr openpty fchmod O_NOFOLLOW O_DIRECTORY O_CLOEXEC
        O_NONBLOCK getresuid posix_spawn sched_getaffinity get_blocking set_blocking WNOHANG''',
    signal: "SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGTSTP SIGWINCH SIGUSR1 pthread_sigmask setitimer alarm",
}
for module, absent in ABSENT.items():
    for name in absent.split():
        if hasattr(module, name):
            delattr(module, name)
sys.platform = "win32"
failed = {}
for name in every:
    try:
        importlib.import_module(name)
    except Exception as e:
        failed[name] = f"{type(e).__name__}: {e}"
print(json.dumps({"tried": len(every), "failed": failed}))
"""


PSEUDO_TERMINAL = {f"provision.redact.terminal.{name}" for name in ("job", "live", "outer_terminal")}
"""Imported by `redact --exec` alone, which refuses on Windows before."""


def test_every_module_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["tried"] > 400
    assert {name: why for name, why in result["failed"].items() if name not in PSEUDO_TERMINAL} == {}


AS_STORE_PYTHON = """
import ctypes, sys, types
from provision.cli import main
nothing = types.SimpleNamespace(GetStdHandle=lambda number: 0, GetConsoleMode=lambda handle, mode: 0)
ctypes.windll = types.SimpleNamespace(kernel32=nothing)
sys.platform = "win32"
sys.base_prefix = r"C:\\Program Files\\WindowsApps\\PythonSoftwareFoundation.Python.3.12_3.12.1_x64__qbz5n2kfra8p0"
sys.argv = ["provision", "status"]
main.main()
"""


def test_the_stores_python_is_refused_before_anything_is_written() -> None:
    done = subprocess.run([sys.executable, "-c", AS_STORE_PYTHON], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: this Python is from the Microsoft Store, which redirects %LOCALAPPDATA%\n")
    assert "hint: use Hermes' own Python" in done.stderr
    assert done.stdout == ""
