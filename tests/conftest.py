"""What all tests share: in CI a skipped test is a failed run, and no test sees the machine's own configuration."""

from __future__ import annotations

import os

import pytest

_FOREIGN = ("HERMES_", "PROVISION_", "AISA_", "OPENAI_", "ANTHROPIC_", "CUSTOM_BASE_URL")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path_factory.getbasetemp() / "no-config"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not os.environ.get("CI") or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"CI: {len(skipped)} skipped tests count as failures", red=True)
