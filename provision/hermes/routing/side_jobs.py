"""Destinations of scheduled jobs (`cron/jobs.json`), and of the scheduler itself.

Models `cron/scheduler.py`: a job's provider is resolved as the main one, with the job's own URL if Hermes accepts that URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.jobs_file import read_jobs
from provision.hermes.routing.destination import Destination, DestinationVerdict
from provision.hermes.routing.providers import HermesStopsError, find_named_provider, resolve_alias
from provision.hermes.routing.side_models import runtime_destinations, text_at
from provision.hermes.routing.wire import host_matches, hostname, sent_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.destination import TeamSide
    from provision.hermes.routing.hazards import RouteContext

_WHEN = "when the job runs"
_RESUME = "when the job is resumed"


def job_destinations(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield the destination of every job that chooses a provider, and of a scheduler that is not this machine's."""
    settings = s.layers.config.get("cron")
    cron: dict[Any, Any] = settings if isinstance(settings, dict) else {}
    for number, job in enumerate(read_jobs(s.home.jobs)):
        provider, url = text_at(job, "provider"), text_at(job, facts.BASE_URL)
        if (url or provider) and not (url and _refused(s, provider, url)):
            place = f"{s.home.where(facts.JOBS_NAME)} jobs[{number}]"
            full = job | {"provider": provider or s.requested}
            off = not job.get("enabled", True) or job.get("state") == "paused"
            for each in runtime_destinations(
                s, team, full, (f"jobs[{number}]",), "cron", _RESUME if off else _WHEN, place
            ):
                if not off or each.verdict is DestinationVerdict.KEY:
                    yield each
    if s.environment.hermes.cron_model and (provider := text_at(cron, side.CRON_PROVIDER)):
        path = ("cron", side.CRON_PROVIDER)
        yield from runtime_destinations(s, team, {"provider": provider}, path, "cron", "when a job runs")
    if scheduler := text_at(cron, "provider"):
        own = cron.get(scheduler)
        url = text_at(own, "portal_url") if isinstance(own, dict) else ""
        yield Destination(
            "cron", "cron.provider", s.layers.where("cron", "provider"), sent_host(url or side.PORTAL_URL), "for each job",
            DestinationVerdict.UNKNOWN, why="a scheduler outside of this machine starts the jobs; what it gets is not known",
            cure="remove it: Hermes then starts the jobs itself",
        )  # fmt: skip


def _refused(s: RouteContext, provider: str, url: str) -> bool:
    """Return whether Hermes refuses to run a job with this URL (`tools/cronjob_tools._validate_cron_base_url`).

    It accepts any URL beside `custom`, and the provider's own host beside another provider.
    """
    if not s.environment.hermes.cron_url_is_checked or provider.lower() == "custom":
        return False
    if not provider:
        return True
    try:
        entry = find_named_provider(s.layers.config, provider.lower(), s.environment)
    except HermesStopsError:
        return True
    if entry:
        return not host_matches(url, hostname(entry.base_url))
    built_in = side.ENDPOINTS.get(resolve_alias(provider) or "")
    return not (built_in and built_in.url and host_matches(url, hostname(built_in.url)))
