"""What all tests share.

- No test sees the machine's own configuration.
- Randomness: `random` is seeded before each test, from one seed for the run and the test's id. The header prints the seed;
  `PROVISION_TEST_SEED=n` repeats a run, and another value varies what tests draw. Hypothesis has `--hypothesis-seed`.
- Tests that read hostile input run under a limit of memory (tests/craft/memory_caps.py).
- Programs: `@pytest.mark.programs("age", "tmux")` names what a test runs for real. Where one is missing the test is skipped,
  and the summary names the programs. In CI (`CI=true`) every skipped test fails the run.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest
from hermes_venvs import choose_hermes
from memory_caps import capped, is_hostile
from share_modes import ShareModes

_FOREIGN = ("HERMES_", "PROVISION_", "AISA_", "OPENAI_", "ANTHROPIC_", "CUSTOM_BASE_URL")
_SEED = int(os.environ.get("PROVISION_TEST_SEED", "20260101"))
_MISSING = "missing program: "

# one profile for all property tests: a deadline fails on a machine that is busy with something else
hypothesis.settings.register_profile("provision", deadline=None, print_blob=True)
hypothesis.settings.load_profile("provision")
random.seed(_SEED)  # for what modules draw when they are imported


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            del os.environ[name]
    os.environ["PROVISION_CONFIG_DIR"] = str(tmp_path_factory.getbasetemp() / "no-config")
    shared = tmp_path_factory.getbasetemp().parent / "provision-cache"  # of all workers: rules are compiled once
    os.environ["XDG_CACHE_HOME"] = str(shared)


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    random.seed(f"{_SEED} {request.node.nodeid}")


def pytest_report_header() -> str:
    """The seed that repeats this run."""
    return f"PROVISION_TEST_SEED={_SEED}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--hermes-version`: which release the acceptance tests run; `--share-modes`: no open file is renamed or removed."""
    parser.addoption(
        "--share-modes", action="store_true", help="Refuse to rename or remove open files, as Windows does."
    )
    parser.addoption(
        "--hermes-platform", metavar="win32", help="Let the real Hermes and provision take this system for another one."
    )
    parser.addoption("--hermes-version", metavar="0.18.2", help="Run the acceptance tests with this release of Hermes.")


def pytest_configure(config: pytest.Config) -> None:
    """Find the programs of this venv and of `.venv/tools`, and take Ctrl-C back, which a run in the background ignores."""
    places = (Path(sys.executable).parent, Path(sys.prefix, "tools", "bin"))
    os.environ["PATH"] += "".join(f"{os.pathsep}{place}" for place in places)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--share-modes"):
        config.pluginmanager.register(ShareModes())
    if platform := config.getoption("--hermes-platform"):
        os.environ["TEST_PLATFORM"] = platform
    if release := config.getoption("--hermes-version"):
        choose_hermes(release)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose programs are not on this machine."""
    for mark in item.iter_markers("programs"):
        for program in mark.args:
            if shutil.which(program) is None:
                pytest.skip(_MISSING + program)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test of hostile input, with its fixtures, under a limit of memory."""
    with contextlib.ExitStack() as limits:
        if item.get_closest_marker("hostile") or is_hostile(item.path.stem, item.name):
            limits.enter_context(capped())
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that names every missing program."""
    reasons = [
        report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)
    ]
    missing = [reason.partition(_MISSING)[2] for reason in reasons if _MISSING in reason]
    if missing:
        names = ", ".join(sorted(set(missing)))
        terminalreporter.write_line(
            f"{len(missing)} tests were skipped because these programs are missing: {names} "
            "(.ci/setup installs them on Debian and Ubuntu)",
            yellow=True,
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test fails the run."""
    if not os.environ.get("CI") or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"CI: {len(skipped)} skipped tests count as failures", red=True)
