"""What all tests share: in CI a skipped test is a failed run, and no test sees the machine's own configuration."""

from __future__ import annotations

import os
import signal

import pytest

_FOREIGN = ("HERMES_", "PROVISION_", "AISA_", "OPENAI_", "ANTHROPIC_", "CUSTOM_BASE_URL")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path_factory.getbasetemp() / "no-config"))


def pytest_configure() -> None:
    """A run in the background of a script inherits an ignored Ctrl-C, and so would the programs it tries Ctrl-C on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not os.environ.get("CI") or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"CI: {len(skipped)} skipped tests count as failures", red=True)
