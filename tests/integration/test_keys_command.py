"""The key command as a real process: what it prints is the key, and what goes wrong is said without it."""

import os
import sys
import time
from pathlib import Path

import pytest

from provision.keys.key_command import KeyCommandError, run_key_command
from provision.keys.key_source import KeySource

CANARY = "sk-aisa-CANARYcanaryCANARYcanaryCANARYcanary1234567"


def _run(code: str, user: str = "ada", timeout_s: float = 20) -> str:
    return run_key_command([sys.executable, "-c", code, "{user}"], user, timeout_s).reveal()


def test_the_printed_line_is_the_key() -> None:
    assert _run("import sys; print('sk-' + sys.argv[1])") == "sk-ada"
    assert KeySource(None, (sys.executable, "-c", f"print('{CANARY}')", "{user}")).key_for("ada") is not None


def test_there_is_no_shell() -> None:
    assert _run("import sys; print(len(sys.argv[1]))", user="$(id);`id`|x") == "12"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("pass", "printed nothing"),
        ("print('sk-aisa-...')", "placeholder"),
        (f"print('{CANARY}'); print('{CANARY}')", "no usable key"),
        (f"print('{CANARY} {CANARY}')", "no usable key"),
        (f"print('{CANARY}' * 1000)", "too much"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe')", "invalid UTF-8"),
        (f"import sys; print('{CANARY}', file=sys.stderr); sys.exit(3)", "exit 3"),
        (f"import sys; print('{CANARY}'); sys.stderr.write('got {CANARY}'); sys.exit(1)", "exit 1"),
        ("import sys; print('vault is sealed', file=sys.stderr); sys.exit(2)", r"exit 2\): vault is sealed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "failed for ada"),
    ],
)
def test_what_goes_wrong_is_said_without_the_key(code: str, says: str) -> None:
    with pytest.raises(KeyCommandError, match=says) as e:
        _run(code)
    shown = str(e.value) + e.value.hint + repr(e.value)
    assert "CANARY" not in shown
    assert e.value.__cause__ is None


def test_time_is_bounded_even_when_a_grandchild_holds_the_pipe() -> None:
    began = time.monotonic()
    with pytest.raises(KeyCommandError, match=r"more than 0.5 s for ada"):
        _run("import time; time.sleep(60)", timeout_s=0.5)
    assert (
        _run("import subprocess; subprocess.Popen(['sleep', '60']); print('sk-real-one', flush=True)") == "sk-real-one"
    )
    assert time.monotonic() - began < 15


def test_endless_output_is_cut() -> None:
    began = time.monotonic()
    with pytest.raises(KeyCommandError, match="too much"):
        _run("while True: print('x' * 9999)")
    assert time.monotonic() - began < 10


def test_a_command_that_cannot_be_is_refused() -> None:
    with pytest.raises(KeyCommandError, match=r"does not contain \{user\}"):
        run_key_command(["op", "read"], "ada", 1)
    with pytest.raises(KeyCommandError, match="cannot start no-such-program"):
        run_key_command(["/nowhere/no-such-program", "{user}"], "ada", 1)
    with pytest.raises(KeyCommandError, match="cannot start"):
        run_key_command([sys.executable, "{user}"], "a\0b", 1)


@pytest.mark.skipif(os.name == "nt", reason="/proc")
def test_nothing_is_left_running(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with pytest.raises(KeyCommandError):
        _run(f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)", timeout_s=1.5)
    assert not Path(f"/proc/{mark.read_text()}").exists()
