"""Hermes homes of the shapes that Hermes 0.19 leaves behind, with a key wherever one of its commands puts a copy."""

from __future__ import annotations

import base64
import json
import sqlite3
from typing import TYPE_CHECKING

from corpus.containers import _zip
from corpus.lanes import chatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from corpus.truth import Writer


def home_wizard(w: Writer) -> None:
    """The wizard writes the key twice into `config.yaml`; a corrupt copy of it stays beside."""
    a, old = w.known(), w.known()
    config = (
        "model:\n  default: gpt-5.2\n  provider: custom\n  base_url: https://api.aisa.one/v1\n  api_key: {key}\n  "
        "api_mode: chat_completions\n"
        "custom_providers:\n- name: Api.aisa.one\n  base_url: https://api.aisa.one/v1\n  api_key: {key}\n  model: "
        "gpt-5.2\n_config_version: 33\n"
    )
    w.write("home/config.yaml", config.format(key=a.value), a)
    w.write(
        "home/config.yaml.corrupt.20260102T030405.bak",
        config.format(key=f'"{old.value}"').replace("_config", ": [_config"),
        old,
    )


def home_named(w: Writer) -> None:
    """A named provider, a fallback with a key of its own, auxiliary tasks and headers."""
    a, b, c, d = w.known(), w.any(), w.any(), w.any()
    w.write("home/.env", f"OPENAI_API_KEY=\nAISA_API_KEY={a.value}\nHERMES_REDACT_SECRETS=true\n", a)
    w.write(
        "home/config.yaml",
        f"providers:\n  aisa:\n    api: https://api.aisa.one/v1\n    key_env: AISA_API_KEY\nfallback_providers:\n- "
        f'provider: custom\n  model: m\n  api_key: "{b.value}"\n'
        f"auxiliary:\n  vision: {{provider: auto, api_key: '{c.value}'}}\nmcp_servers:\n  search:\n    command: "
        f"npx\n    env:\n      SEARCH_API_KEY: {d.value}\n",
        b,
        c,
        d,
    )


def home_pool(w: Writer) -> None:
    """`auth.json`: a manual key, tokens of a login, and a borrowed entry that keeps only a hash."""
    a, b, c = w.known(), w.token(), w.any()
    w.write(
        "home/auth.json",
        json.dumps(
            {
                "version": 1,
                "credential_pool": {
                    "custom:aisa": [
                        {"id": "9f1c2a", "label": "manual", "source": "manual", "access_token": a.value, "priority": 0},
                        {"id": "11aa22", "source": "env:AISA_API_KEY", "secret_fingerprint": "9f86d081884c7d65"},
                    ]
                },
                "providers": {
                    "x": {"tokens": {"access_token": b.value, "refresh_token": c.value, "expires_at": 1767225600}}
                },
            },
            indent=2,
        ),
        a,
        b,
        c,
    )


def home_traces(w: Writer) -> None:
    """Histories, request dumps, logs and chats in which somebody pasted a key."""
    a, b, c, d = w.known(), w.token(), w.known(), w.token()
    w.write("home/.hermes_history", f"\n# 2026-01-01 10:00:00\n+use {a.value} for the gateway\n", a)
    dump = {
        "timestamp": "2026",
        "request": {
            "headers": {"Authorization": "Bearer sk-aisa-****wxyz"},
            "body": {"messages": [{"content": f"key: {b.value}"}]},
        },
    }
    w.write("home/sessions/request_dump_20260101_100000.json", json.dumps(dump), b)
    w.write("home/logs/agent.log", chatter(w, 40) + f"DEBUG api_key={c.value}\n" + chatter(w, 3), c)
    path = w.path("home/state.db")
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT)")
    base.execute(
        "INSERT INTO messages (content) VALUES (?)", (json.dumps([{"type": "text", "text": f"it is\n{d.value}"}]),)
    )
    base.commit()
    base.close()
    w.say(path, d)


def home_copies(w: Writer) -> None:
    """State snapshots, backup zips, caches of secret stores, jobs, a service unit, a profile."""
    a, b, c, d, e, f = w.known(), w.known(), w.any(), w.any(), w.known(), w.any()
    w.write("home/state-snapshots/20260101/.env", f"AISA_API_KEY={a.value}\n", a)
    w.write(
        "home/backups/hermes-backup.zip",
        _zip({".env": f"AISA_API_KEY={b.value}\n".encode(), "config.yaml": b"model: {}\n"}),
        b,
    )
    w.write("home/cache/op_cache.json", json.dumps({"values": {c.variable: c.value}, "fetched_at": 1767225600}), c)
    w.write(
        "home/cron/jobs.json",
        json.dumps(
            {"jobs": [{"id": 1, "prompt": f"call with header X-Api-Key: {d.value}", "base_url": "https://h/v1"}]}
        ),
        d,
    )
    w.write(
        "systemd/hermes-gateway.service",
        f'[Service]\nEnvironment=HERMES_HOME=/home/u/.hermes\nEnvironment="AISA_API_KEY={e.value}"\n'
        f"ExecStart=/usr/bin/hermes gateway\n",
        e,
    )
    w.write("home/profiles/blue/.env", f"{f.variable}={f.value}\n", f)


def home_neighbours(w: Writer) -> None:
    """Where other tools of the same user keep the same key."""
    a, b, c, d = w.known(), w.known(), w.known(), w.any()
    w.write(
        ".claude/settings.json",
        json.dumps({"env": {"ANTHROPIC_AUTH_TOKEN": a.value, "ANTHROPIC_BASE_URL": "https://api.aisa.one"}}),
        a,
    )
    w.write(
        ".codex/config.toml",
        f'[model_providers.aisa]\nbase_url = "https://api.aisa.one/v1"\nexperimental_bearer_token = "{b.value}"\n',
        b,
    )
    w.write(".aisa/key", c.value, c)
    login = base64.b64encode(f"me:{d.value}".encode()).decode()
    w.write(".netrc", f"machine git.example.com login me password {d.value}\n", d)
    w.write(".docker/config.json", json.dumps({"auths": {"r.example.com": {"auth": login}}}), d)
    w.say_forms(d, (login,))


HOME_LANES: tuple[Callable[[Writer], None], ...] = (
    home_wizard, home_named, home_pool, home_traces, home_copies, home_neighbours,
)  # fmt: skip
