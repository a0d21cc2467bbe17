"""The scheduled jobs of a home (`cron/jobs.json`): read them as Hermes does, and take out what sends the team's key elsewhere.

A job may choose a provider and a URL of its own. Hermes then sends the key of that provider, or the one that the name of the host
gives, to that URL. Only these two settings of such a job are removed: it then asks the team's gateway. All else of the user's
jobs stays.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.hermes.auth_file import dump_in_layout
from provision.hermes.config.naming import host_and_port, normalized_name
from provision.hermes.config.side_leaks import is_plain_custom
from provision.hermes.facts import names as facts
from provision.hermes.removed_setting import RemovedSetting, is_shown, masked_value
from provision.hermes.routing.wire import host_derived_env

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.hermes.config.conflicts import ProvisionedProvider
    from provision.hermes.config.side_leaks import ProvisionedKey

_LEAKS = "this job sends the provisioned key to another host"
_WITH_URL = "it belongs to the URL that was removed from this job"
_BOM = b"\xef\xbb\xbf"


def read_jobs(data: bytes | None) -> list[dict[Any, Any]]:
    """Return the jobs as Hermes reads them (`cron.jobs.load_jobs`): none in a file that it cannot read.

    It ignores a byte order mark, accepts control characters in texts, and a list without the mapping around it.
    """
    return _jobs(_store(data))


def clean_jobs(
    data: bytes | None, ours: ProvisionedProvider, key: ProvisionedKey, entries: Sequence[str] = ()
) -> tuple[bytes | None, tuple[RemovedSetting, ...]]:
    """Return the file without the URLs to which a job sends the key, and what was removed. Keeps the layout of the JSON.

    `entries` are the names of the user's own provider entries: a job that names one of them sends that entry's key.
    """
    store = _store(data)
    named = frozenset(map(normalized_name, entries))
    removed: list[RemovedSetting] = []
    for number, job in enumerate(_jobs(store)):
        if not _leaks(job, ours, key, named):
            continue
        for name, why in ((facts.BASE_URL, _LEAKS), ("provider", _WITH_URL)):
            value = job.get(name)
            if value is None or (name == "provider" and ours.named(value)):
                continue
            removed.append(
                RemovedSetting(
                    facts.JOBS_NAME, f"jobs[{number}].{name}", why, masked_value(name, value),
                    *((("jobs", _identity(job, number), name), value) if is_shown(name, value) else ()),
                )
            )  # fmt: skip
            job[name] = None  # as Hermes writes it
    if not removed or data is None:
        return data, ()
    return _dump(store, data), tuple(removed)


def restore_jobs(data: bytes | None, entries: Sequence[Mapping[str, Any]]) -> tuple[bytes | None, tuple[str, ...]]:
    """Put back what `clean_jobs` took out of jobs that still exist and choose nothing else; returns the places, too."""
    store = _store(data)
    jobs = {_identity(job, number): job for number, job in enumerate(_jobs(store))}
    restored: list[str] = []
    for entry in entries:
        path = entry.get("path")
        if not isinstance(path, list) or len(path) != 3:
            continue
        job = jobs.get(path[1]) if isinstance(path[1], str | int) else None
        if job is not None and path[2] in {facts.BASE_URL, "provider"} and job.get(path[2]) is None:
            job[path[2]] = entry.get("value")
            restored.append(str(entry["where"]))
    return (_dump(store, data), tuple(restored)) if restored and data is not None else (data, ())


def _leaks(job: Mapping[Any, Any], ours: ProvisionedProvider, key: ProvisionedKey, entries: frozenset[str]) -> bool:
    """Return whether a job sends the key to another host than the gateway, on any release of Hermes."""
    url, provider = job.get(facts.BASE_URL), str(job.get("provider") or "").strip()
    if not isinstance(url, str) or not url.strip() or host_and_port(url) == host_and_port(ours.base_url):
        return False
    if key.held_by(url):
        return True
    if not provider or ours.named(provider):
        return True  # newer releases refuse most of them, 0.16 none
    plain = normalized_name(provider) not in entries and is_plain_custom(provider)
    return plain and host_derived_env(url) in key.names


def _identity(job: Mapping[Any, Any], number: int) -> str | int:
    """The name of a job that stays when others come and go; its place in a file without names."""
    own = job.get("id")
    return own if isinstance(own, str) and own else number


def _store(data: bytes | None) -> Any:
    try:
        return json.loads((data or b"null").decode("utf-8-sig"), strict=False)
    except (ValueError, RecursionError):
        return None


def _jobs(store: Any) -> list[dict[Any, Any]]:
    jobs = store.get("jobs") if isinstance(store, dict) else store
    return list(_mappings(jobs)) if isinstance(jobs, list) else []


def _mappings(jobs: list[Any]) -> Iterator[dict[Any, Any]]:
    yield from (job for job in jobs if isinstance(job, dict))


def _dump(store: Any, data: bytes) -> bytes:
    plain = data.removeprefix(_BOM)
    try:
        return dump_in_layout(store, plain)
    except ValueError:  # with control characters, which only a lenient parser accepts
        return (json.dumps(store, indent=2, ensure_ascii=False) + "\n").encode()
