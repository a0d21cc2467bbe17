"""Which facts are used for which version, and how far a verdict is verified."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from provision.hermes.facts.release import FACT_NAMES
from provision.hermes.facts.selection import (
    RELEASES,
    RESERVED_PROVIDERS,
    SERVICE_KEY_ENV,
    VERIFIED_VERSIONS,
    facts_for,
    hermes_in_use,
)
from provision.hermes.facts.side_routes import AUXILIARY_TASKS
from provision.hermes.facts.v0_21 import AT_RELEASE

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("version", "facts", "verified"),
    [
        ("0.16.0", "0.16.0", True),
        ("0.18.2", "0.18.2", True),
        ("0.19.0", "0.19.0", True),
        ("0.15.2", "0.16.0", False),
        ("0.18.1", "0.16.0", False),
        ("0.19.1", "0.19.0", False),
        ("0.20.6", "0.19.0", False),
        ("0.21.3", "0.21.3", False),
        ("0.22.6", "0.21.3", False),
        ("nonsense", "0.19.0", False),
    ],
)
def test_the_facts_of_a_version(version: str, facts: str, verified: bool) -> None:
    found = hermes_in_use([version])
    assert (found.facts.version, found.verified) == (facts, verified)
    assert facts_for(version) is found.facts
    assert version in found.statement
    assert ("(verified)" in found.statement) == verified


def test_an_unknown_version_is_never_verified() -> None:
    found = hermes_in_use([])
    assert (found.version, found.verified, found.facts.version) == (None, False, "0.19.0")
    assert found.statement == "the version of Hermes on this machine is unknown, the model was verified up to 0.19.0"


def test_several_versions_are_not_verified_together() -> None:
    found = hermes_in_use(["0.19.0", "0.21.3", "0.19.0"])
    assert not found.verified
    assert found.statement == "this machine has 0.19.0 and 0.21.3, the model was verified up to 0.19.0"
    assert not hermes_in_use(["0.19.0", "0.18.2"]).verified


def test_every_fact_has_a_source() -> None:
    for release in RELEASES:
        assert release.sources.keys() <= {*FACT_NAMES, "*"}
        assert all(release.source_of(name) for name in FACT_NAMES)
        assert release.verified == (release.version in VERIFIED_VERSIONS)


def test_facts_that_were_not_run_say_whether_a_release_confirms_them() -> None:
    """Each difference from the release before has a source of its own, and a row in the second table of docs/hermes.md."""
    text = (ROOT / "docs/hermes.md").read_text()
    for before, release in pairwise(RELEASES):
        if release.verified:
            continue
        changed = {name for name in FACT_NAMES if getattr(release, name) != getattr(before, name)}
        assert changed <= release.sources.keys()
        for name in release.sources.keys() - {"*"}:
            confirmed = not release.source_of(name).endswith("; unconfirmed at a release")
            assert confirmed == (name in AT_RELEASE)
            assert f"| {'yes' if confirmed else 'no'} | `{name}` | " in text, name


def test_every_alias_stands_for_a_provider_of_its_release() -> None:
    for release in RELEASES:
        assert set(release.provider_aliases.values()) <= {*release.built_in_providers, "custom"}, release.version


def test_names_of_newer_releases_count_on_every_machine() -> None:
    """It may be updated: a provider's name is not free, and a key in a service's variable goes to that service then."""
    assert {"router", "meta-ai", "vercel"} <= RESERVED_PROVIDERS
    assert {"RAMP_ROUTER_API_KEY", "ACTUAL_API_KEY", "PERPLEXITY_API_KEY"} <= SERVICE_KEY_ENV


def test_a_rendering_pins_the_auxiliary_tasks_of_every_release() -> None:
    """`side_routes: team` pins `AUXILIARY_TASKS`, so a task of any known release must be one of them."""
    for release in RELEASES:
        assert set(release.auxiliary_tasks) <= set(AUXILIARY_TASKS), release.version


def test_docs_have_every_fact_of_every_version() -> None:
    """The table in docs/hermes.md: one row for each fact that differs, one column for each release."""
    text = (ROOT / "docs/hermes.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    table = {row[0].strip("`"): row[2:] for row in rows if row[0].strip("`") in FACT_NAMES}
    assert f"| fact | | {' | '.join(release.version for release in RELEASES)} |" in text
    for name in FACT_NAMES:
        values = [getattr(release, name) for release in RELEASES]
        if all(value == values[0] for value in values):
            continue
        shown = [_shown(value) for value in values]
        assert table[name] == shown, name


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int | str) else str(len(value))  # type: ignore[arg-type]


def test_no_other_module_names_a_version() -> None:
    """A release of Hermes is named in the room of the facts only, in code and in prose."""
    named = re.compile(r"Hermes v?0\.\d|\bv0_\d")
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "provision").rglob("*.py")
        if path.parent.name != "facts" and named.search(path.read_text())
    ]
    assert found == []
