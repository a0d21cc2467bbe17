"""The report as metrics in Prometheus' text format, for node_exporter's textfile collector: numbers only.

Source of the format: prometheus.io/docs/instrumenting/exposition_formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.report.attention import AttentionCause
from provision.report.fleet.document import states_of, summary
from provision.report.fleet.rows import count_in_order
from provision.report.prometheus import Metric, metrics_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.report.fleet.results import FleetReport


def as_prometheus(report: FleetReport) -> Iterator[str]:
    """All metrics. What was not looked at has no metric, so that an alert on its absence works."""
    yield metrics_text(_metrics(report))


def _metrics(report: FleetReport) -> Iterator[Metric]:
    counts, attention = summary(report), report.attention_counts
    yield Metric("provision_report_timestamp_seconds", "When the report was made.", [({}, int(report.at.timestamp()))])
    yield Metric("provision_users", "Users in the inventory.", [({}, counts["users"])])
    yield Metric(
        "provision_users_in_order", "Users in order, with everything looked at.", [({}, count_in_order(report))]
    )
    yield Metric(
        "provision_users_quiet", "Users of whom nothing that was looked at needs attention.", [({}, report.quiet)]
    )
    causes = [({"cause": cause.value}, attention.get(cause.value, 0)) for cause in AttentionCause]
    yield Metric("provision_attention", "Users, machines or things that need attention, by cause.", causes)
    for name, labels, text in (
        ("verdicts", "verdict", "Verdicts of the gateway about current keys."),
        ("endpoints", "standing", "Machines by standing."),
        ("audit", "severity", "Findings of audits by severity."),
    ):
        if counts[name] is not None:
            values = [({labels: word}, count) for word, count in counts[name].items()]
            yield Metric(f"provision_{name}", text, values)
    rotating = [
        ({"rotation": rotation.id, "state": state.value}, count)
        for rotation in report.rotations
        for state, count in sorted(states_of(rotation, report).items())
    ]
    yield Metric("provision_rotation_users", "Users of unfinished rotations by state.", rotating)
