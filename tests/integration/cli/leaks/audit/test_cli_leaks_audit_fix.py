"""What `audit --fix` says it will do."""

from __future__ import annotations

from pathlib import Path

from provision.audit.fix.change import FixChange, FixPlan, NotFixed
from provision.cli.leaks.audit.fix import fix_plan_text


def test_every_change_and_everything_left_is_listed() -> None:
    plan = FixPlan(
        (FixChange(Path("/home/ada/.hermes/a\x1b[2J.log"), ("1 secret masked", "mode 0644 becomes 0600")),),
        (NotFixed("/home/ada/notes.txt", "it does not belong to Hermes"),),
    )
    assert fix_plan_text(plan, lambda name: name.replace("/home/ada", "~")) == (
        "change  ~/.hermes/a\\x1b[2J.log\n"
        "          1 secret masked\n"
        "          mode 0644 becomes 0600\n"
        "leave   ~/notes.txt\n"
        "          it does not belong to Hermes\n"
    )
