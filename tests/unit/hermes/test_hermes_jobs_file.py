"""What an install takes out of scheduled jobs, and what an uninstall puts back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.hermes.config.conflicts import ProvisionedProvider
from provision.hermes.config.side_leaks import ProvisionedKey
from provision.hermes.jobs_file import clean_jobs, read_jobs, restore_jobs

OURS = ProvisionedProvider("aisa", "https://api.aisa.one/v1", "AISA_API_KEY", "gpt-5.2", {})
KEY = ProvisionedKey(frozenset({"AISA_API_KEY"}), "sk-aisa-TEST-0123456789")
ALIKE, FOREIGN = "https://api.aisa.example/v1", "https://x.example/v1"


def job(provider: str | None, url: str | None, **more: Any) -> dict[str, Any]:
    return {"id": "j1", "prompt": "ask", "provider": provider, "base_url": url, **more}


def cleaned(one: dict[str, Any], *entries: str) -> tuple[dict[str, Any], list[str]]:
    data, removed = clean_jobs(json.dumps({"jobs": [one]}).encode(), OURS, KEY, entries)
    again, none = clean_jobs(data, OURS, KEY, entries)
    assert (again, none) == (data, ())
    assert KEY.value not in repr(removed)
    return json.loads(data or b"")["jobs"][0], [r.where for r in removed]


BOTH = ["jobs[0].base_url", "jobs[0].provider"]


@pytest.mark.parametrize(
    ("one", "gone"),
    [
        (job("custom", ALIKE), BOTH),
        (job("ollama", ALIKE), BOTH),
        (job("custom", f"{FOREIGN}?k={KEY.value}"), BOTH),
        (job("custom:aisa", FOREIGN), BOTH[:1]),
        (job("custom:aisa", "https://eu.api.aisa.one/v1"), BOTH[:1]),
        (job("AISA", "https://api.aisa.one:8443/v1"), BOTH[:1]),
        (job(None, FOREIGN), BOTH[:1]),
    ],
)
def test_the_url_of_a_leaking_job_goes(one: dict[str, Any], gone: list[str]) -> None:
    left, removed = cleaned(one)
    assert removed == gone
    kept = {"provider": None} if gone == BOTH else {}
    assert left == {**one, "base_url": None, **kept}


@pytest.mark.parametrize(
    "one",
    [
        job("custom", FOREIGN),
        job("custom", "http://127.0.0.1:11434/v1"),
        job("custom:aisa", "https://api.aisa.one/v1/"),
        job("custom:mine", ALIKE),
        job("ollama", ALIKE) | {"provider": "mine"},
        job("openrouter", None),
        job(None, None),
        {"id": 3, "base_url": 5},
    ],
)
def test_the_users_own_jobs_stay(one: dict[str, Any]) -> None:
    assert cleaned(one, "mine") == (one, [])


def test_other_jobs_and_the_layout_stay() -> None:
    store = {
        "jobs": [job("openrouter", None), job("custom", ALIKE, id="j2"), {"id": "j3", "prompt": "ü"}],
        "updated_at": "x",
    }
    text = json.dumps(store, indent=2)
    data, removed = clean_jobs(text.encode(), OURS, KEY)
    changed = text.replace('"id": "j2",\n', "#").replace(f'"{ALIKE}"', "null")
    assert data is not None
    assert data.decode().replace('"id": "j2",\n', "#") == changed.replace('"provider": "custom"', '"provider": null')
    assert [r.path for r in removed] == [("jobs", "j2", "base_url"), ("jobs", "j2", "provider")]


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff{"jobs": [%s]}',
        "[%s]",
        '{"jobs": [%s], "note": "a\tb"}',
    ],
)
def test_it_is_read_as_hermes_reads_it(text: str) -> None:
    """A byte order mark, control characters and a bare list: seen in `cron.jobs.load_jobs`."""
    data, removed = clean_jobs((text % json.dumps(job("custom", ALIKE))).encode(), OURS, KEY)
    assert len(removed) == 2
    assert read_jobs(data)[0]["base_url"] is None


@pytest.mark.parametrize(
    "data", [None, b"", b"{", b"\xff", b"7", b'{"jobs": 7}', b'{"jobs": [7, null]}', b"[" * 90_000]
)
def test_what_hermes_cannot_read_stays(data: bytes | None) -> None:
    assert read_jobs(data) == []
    assert clean_jobs(data, OURS, KEY) == (data, ())


def test_an_uninstall_puts_back_what_nothing_has_replaced() -> None:
    jobs = [job("custom", ALIKE), job("custom", ALIKE, id="j2"), job("custom", ALIKE, id="gone")]
    data, removed = clean_jobs(json.dumps({"jobs": jobs}).encode(), OURS, KEY)
    store = json.loads(data or b"")
    store["jobs"] = [store["jobs"][1] | {"provider": "openrouter"}, store["jobs"][0]]
    notes = [{"file": r.file, "where": r.where, "path": list(r.path), "value": r.value} for r in removed]
    back, places = restore_jobs(json.dumps(store).encode(), notes)
    assert json.loads(back or b"")["jobs"] == [job("openrouter", ALIKE, id="j2"), jobs[0]]
    assert places == ("jobs[0].base_url", "jobs[0].provider", "jobs[1].base_url")


def test_a_url_with_a_secret_is_not_stored() -> None:
    _, removed = clean_jobs(json.dumps({"jobs": [job(None, f"https://u:{KEY.value}@x.example")]}).encode(), OURS, KEY)
    assert [r.path for r in removed] == [()]
