"""Metrics as an output format: Prometheus' text format 0.0.4, gauges only. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Metric(NamedTuple):
    """A gauge: its name, a help line, and its values by labels."""

    name: str
    help: str
    values: Sequence[tuple[Mapping[str, str], float]]


def metrics_text(metrics: Iterable[Metric]) -> str:
    """Write the metrics; one without values is left out."""
    lines = []
    for metric in metrics:
        if metric.values:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} gauge"]
            lines += [f"{metric.name}{_labels(labels)} {value}" for labels, value in metric.values]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    written = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{written}}}" if written else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
