"""`revoke_command`: what the program is given, and that nothing of the key is in a message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from provision.detect.secret import Secret
from provision.keys.key_command import KeyCommandError
from provision.keys.revoke_command import DoomedKey, run_revoke_command

KEY = "sk-aisa-TEST-0123456789abcdef-last"
DOOMED = DoomedKey("ada", Secret(KEY), "{user}{last_four}", "fp_abc")


def python(code: str, *more: str) -> list[str]:
    return [sys.executable, "-c", code, *more]


def test_the_key_is_on_standard_input_and_labels_are_not_expanded(tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'w').write('|'.join([sys.stdin.read(), *sys.argv[2:]]))"
    run_revoke_command(python(code, str(tmp_path / "x"), "{user}:{label}", "{fingerprint}{last_four}", "-"), DOOMED, 30)
    assert (tmp_path / "x").read_text() == f"{KEY}\n|ada:{{user}}{{last_four}}|fp_abclast|-"
    assert KEY not in repr(DOOMED)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "revoke_command failed for ada (exit 3)"),
        ("import sys; sys.exit('not allowed')", "revoke_command failed for ada (exit 1): not allowed"),
        ("import sys; sys.exit('no such key: ' + sys.stdin.read())", "revoke_command failed for ada (exit 1)"),
        ("import sys; sys.exit('key ' + sys.stdin.read()[:20])", "revoke_command failed for ada (exit 1): key …"),
        ("import time; time.sleep(60)", "revoke_command took more than 0.5 s for ada"),
    ],
)
def test_failures_say_nothing_of_the_key(code: str, said: str) -> None:
    with pytest.raises(KeyCommandError) as error:
        run_revoke_command(python(code), DOOMED, 0.5 if "sleep" in code else 30)
    assert str(error.value) == said
    assert KEY[:16] not in str(error.value) + error.value.hint


def test_a_program_that_does_not_read_its_input_or_is_not_there() -> None:
    run_revoke_command(python("pass"), DOOMED, 30)
    with pytest.raises(KeyCommandError, match="revoke_command cannot start none"):
        run_revoke_command(["/nonexistent/none"], DOOMED, 30)
