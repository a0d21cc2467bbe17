"""`[[notify]]` in provision.toml: what is valid, where an error is, and what an operator approves."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.fleet.approvals import guarded_settings, pending_settings, with_approved_settings
from provision.fleet.notify_target import is_notify_url
from provision.fleet.settings import read_settings
from provision.fleet.workspace import Workspace

VALID = """
[[notify]]
kind = "webhook"
url = "https://ops.corp.example/hooks"
secret_from = "env:HOOK_SECRET"

[[notify]]
kind = "slack"
url_from = "file:/run/secrets/slack"
events = ["leaked", "halted"]

[[notify]]
kind = "email"
to = ["it@corp.example"]
"""


def test_valid_targets() -> None:
    settings, problems, _ = read_settings(VALID.encode(), "provision.toml")
    assert problems == []
    assert [target.text for target in settings.notify] == [
        "webhook[url=https://ops.corp.example/hooks secret_from=env:HOOK_SECRET]",
        "slack[url_from=file:/run/secrets/slack events=leaked,halted]",
        "email[to=it@corp.example]",
    ]
    assert settings.notify[2].label == "email (it@corp.example)"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('kind = "pager"', "notify 1.kind: input should be 'webhook', 'slack', 'teams' or 'email'"),
        ('kind = "slack"\nurl = "https://hooks.slack.com/services/T0/B0/x"', "slack needs `url_from`"),
        ('kind = "teams"\nurl_from = "TEAMS_URL"', "notify 1.url_from: use env:NAME or file:/PATH"),
        ('kind = "webhook"\nurl = "https://a.example/h"', "webhook needs `secret_from`"),
        ('kind = "webhook"\nurl = "http://a.example/h"\nsecret_from = "env:S"', "use an https address"),
        ('kind = "webhook"\nurl = "https://a.example/h?token=1"\nsecret_from = "env:S"', "use an https address"),
        ('kind = "webhook"\nsecret_from = "env:S"', "webhook needs `url` or `url_from`"),
        ('kind = "email"', "email needs `to`"),
        ('kind = "email"\nto = ["-oQ/tmp@x.example"]', "notify 1.to 1: string should match pattern"),
        ('kind = "email"\nto = ["it@x.example"]\nurl_from = "env:S"', "email has no url and no secret"),
        ('kind = "slack"\nurl_from = "env:S"\nto = ["it@x.example"]', "only email has `to` and `sender`, not slack"),
        ('kind = "slack"\nurl_from = "env:S"\nevents = ["leak"]', "notify 1.events 1: input should be 'leaked'"),
        ('kind = "slack"\nurl_form = "env:S"', "unknown key 'url_form' in notify"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(lines: str, said: str) -> None:
    settings, problems, _ = read_settings(f"bundle_days = 90\n[[notify]]\n{lines}\n".encode(), "provision.toml")
    assert said in " | ".join(problem.message for problem in problems)
    assert all(problem.place.line >= 2 for problem in problems)
    assert settings.notify == ()


def test_addresses() -> None:
    for good in ("https://a.example/x?sig=1", "http://127.0.0.1:80/x", "http://localhost/"):
        assert is_notify_url(good), good
    for bad in (
        "http://a.example",
        "https://u:p@a.example",
        "ftp://a",
        "https://",
        "https://a:x/",
        "https://a\n.b",
        "",
    ):
        assert not is_notify_url(bad), bad


def test_a_target_that_was_added_in_git_waits_and_one_that_was_taken_away_does_not(tmp_path: Path) -> None:
    settings, _, _ = read_settings(VALID.encode(), "provision.toml")
    workspace = Workspace(tmp_path, settings)
    approved = guarded_settings(workspace)
    assert pending_settings(workspace, approved) == ()
    fewer = {**approved, "notify": approved["notify"][:2]}
    assert [each.name for each in pending_settings(workspace, fewer)] == ["notify"]
    assert with_approved_settings(workspace, fewer).settings.notify == settings.notify[:2]
    before = {name: value for name, value in approved.items() if name != "notify"}
    assert with_approved_settings(workspace, before).settings.notify == (), "approved by an earlier release"
    less = Workspace(tmp_path, settings.model_copy(update={"notify": settings.notify[1:]}))
    assert pending_settings(less, approved) == ()
