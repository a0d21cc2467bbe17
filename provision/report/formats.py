"""The output formats that results can have. A new format is one member here and one writer in each command that offers it."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """A value of `--format`."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    HTML = "html"
    CSV = "csv"
    SARIF = "sarif"
    JUNIT = "junit"
    PROMETHEUS = "prometheus"
    ECS = "ecs"
