"""Lines that fit a terminal: nothing is lost, and what is copied stays in one piece."""

from __future__ import annotations

import io

import pytest

from provision.report.fitting import display_width, fitted, fitted_line, pieces_of
from provision.report.output import write_output
from provision.report.terminal import columns_of, results_are_data, results_are_prose, table

LINES = {
    "hint: run `provision enroll` on the user's machine: it prints the recipient": ["`provision enroll`"],
    "then prove them dead (exit 10): provision validate --probe key --fail-on ok -l ada; then rest": [
        "provision validate --probe key --fail-on ok -l ada;"
    ],
    "other users of this machine can read these keys (chmod 600 new.csv) [readable-keys]": ["(chmod 600 new.csv)"],
    "add it: provision operators add bob age1qqqqqqqqqqq 'ssh-ed25519 AAAA, of bob' (on paper)": [
        "provision operators add bob age1qqqqqqqqqqq 'ssh-ed25519 AAAA, of bob'"
    ],
    "cannot read '/home/ada/my documents/keys.csv': no such file or directory": ["'/home/ada/my documents/keys.csv':"],
    "the user's key is ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFh": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFh"],
    "hint: remove what was left by a killed run: rm -r /tmp/provision-video-s6k90vqy": [
        "rm -r /tmp/provision-video-s6k90vqy"
    ],
    "the workspace is not in git and no copy of it is kept anywhere else than here": ["git", "and"],
    "ok       keys.identity              your identity opens the vault and the feed's secret too": ["vault"],
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_a_line_fits_and_loses_nothing(line: str, width: int) -> None:
    lines = fitted_line(line, width).split("\n")
    assert " ".join(" ".join(lines).split()) == " ".join(line.split())
    for part in lines:
        assert display_width(part) <= width or len(pieces_of(part.strip())) == 1 or "  " in part.strip()
    for whole in LINES[line]:
        assert whole in pieces_of(line)
        assert any(whole in part for part in lines)


def test_what_does_not_fit_is_below_the_last_column_if_it_has_room_there() -> None:
    line = "key        fp_aaaaaaaaaaaaaaaa from the environment"
    assert fitted_line(line, 40) == "key        fp_aaaaaaaaaaaaaaaa from the\n           environment"
    wide = "ok       keys.workspace             no private key in the workspace"
    assert fitted_line(wide, 60) == "ok       keys.workspace\n          no private key in the workspace"
    assert fitted_line(" " * 36 + "hint: make one: provision operators upgrade", 60).startswith(" " * 10 + "hint:")


def test_colours_need_no_room() -> None:
    assert fitted_line("\x1b[31merror:\x1b[0m " + "x" * 20, 27) == "\x1b[31merror:\x1b[0m " + "x" * 20


def test_pieces_are_joined_before_lines_are_fitted() -> None:
    assert "".join(fitted(["one two ", "three\nfour", " five"], 9)) == "one two\n  three\nfour five"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_prose_is_fitted_and_data_and_pipes_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "a line for a reader that is wider than its terminal\n"
    monkeypatch.setenv("COLUMNS", "30")
    for stream, is_data, is_whole in ((Screen(), False, False), (Screen(), True, True), (io.StringIO(), False, True)):
        monkeypatch.setattr("sys.stdout", stream)
        results_are_prose()
        if is_data:
            results_are_data()
        write_output((line,), None)
        assert (stream.getvalue() == line) is is_whole
    results_are_prose()


def test_a_long_piece_of_a_stacked_table_is_below_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Screen())
    monkeypatch.setenv("COLUMNS", "30")
    assert table(("NAME", "KEY", "STATE"), [("ada", "k" * 24, "ok")]).splitlines()[1:3] == ["  KEY", "    " + "k" * 24]


def test_the_width_is_that_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert columns_of(io.StringIO()) is None
    assert columns_of(Screen()) == 80  # a terminal without a size
    monkeypatch.setenv("COLUMNS", "5")
    assert columns_of(Screen()) == 20
