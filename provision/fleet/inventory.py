"""Read the inventory in its three forms: YAML (or the same as JSON), CSV, and the output of `ansible-inventory --list`.

All three produce the same located entries, one user at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.errors import Place, Problem
from provision.fleet.explain import describe_value
from provision.fleet.machine_rows import merge_machine_rows
from provision.fleet.models import InventoryFile, Overrides, UserEntry
from provision.fleet.nearest import spelling_hint
from provision.formats.csv_reader import Cell, read_csv
from provision.formats.json_reader import read_json
from provision.formats.located import BrokenTextError, Map, Seq, mark, place, quoted
from provision.formats.scalars import AmbiguousError, resolve_scalar
from provision.formats.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.fleet.users import Users

LIST_SEPARATOR = ";"
_LISTS = frozenset({"recipients", "tags", "overrides.fallback_models", "overrides.allowed_hosts"})
_TYPED = frozenset(
    {"overrides.context_length", "overrides.capabilities", "overrides.managed", "overrides.key_max_age_days"}
    | {"overrides.budget_usd_month"}
)
_START = mark(1, 1)
ANSIBLE_PREFIX = "hermes_"


def read_inventory(data: bytes, file: str, new_users: Callable[[], Users]) -> Users:
    """Read every user of an inventory file; the file's ending gives the form. Problems are in the result. Never raises."""
    ending = file.rpartition(".")[2].lower()
    if ending == "csv":
        return _from_csv(data, file, new_users())
    if ending == "json":
        return _from_json(data, file, new_users())
    return _from_yaml(data, file, new_users)


def _from_yaml(data: bytes, file: str, new_users: Callable[[], Users]) -> Users:
    users, late = _yaml_pass(data, file, new_users(), None)
    if late is not None:  # `defaults:` is below `users:`: read again with these defaults
        users, _ = _yaml_pass(data, file, new_users(), late)
    return users


def _yaml_pass(
    data: bytes, file: str, users: Users, known: tuple[Any, int] | None
) -> tuple[Users, tuple[Any, int] | None]:
    started = False

    def start(root: Map) -> None:
        nonlocal started
        started = True
        if known is not None:
            users.set_defaults(*known)
        elif "defaults" in root:
            users.set_defaults(root["defaults"], root.marks["defaults"])

    def visit(entry: Any, at: int, root: Map) -> None:
        if not started:
            start(root)
        users.add(entry, at)

    root, problems = read_yaml(data, file, stream="users", visit=visit)
    users.problems += problems
    if root is None and problems:
        return users, None
    if not started:
        start(root if isinstance(root, Map) else Map())
    elif known is None and "defaults" in root and root.key_marks["defaults"] > root.key_marks["users"]:
        return users, (root["defaults"], root.marks["defaults"])
    _check_root(root, users, file)
    return users, None


def _check_root(root: Any, users: Users, file: str) -> None:
    if not isinstance(root, Map):
        hint = "users:\n  - id: ada" if root is None else ""
        message = (
            "the inventory is empty"
            if root is None
            else f"an inventory must be a mapping with `users:`, not {describe_value(root)}"
        )
        users.problems.append(Problem("wrong-type", message, place(file, _START), hint.replace("\n ", "")))
        return
    allowed = list(InventoryFile.model_fields)
    for key in root:
        if key not in allowed:
            at = place(file, root.key_marks[key])
            users.problems.append(Problem("unknown-key", f"unknown key {quoted(key)}", at, spelling_hint(key, allowed)))
    if "users" not in root:
        users.problems.append(
            Problem("missing-key", "'users' is missing", place(file, _START), "add it: a list of users")
        )
    elif not isinstance(root["users"], list):
        at = place(file, root.marks["users"])
        users.problems.append(
            Problem(
                "wrong-type",
                f"users must be a list, not {describe_value(root['users'])}",
                at,
                "write `users: []` for none",
            )
        )


def _from_json(data: bytes, file: str, users: Users) -> Users:
    root, problems = read_json(data, file)
    users.problems += problems
    if root is None and problems:
        return users
    if isinstance(root, Map) and "_meta" in root and "users" not in root:
        _from_ansible(root, file, users)
        return users
    if isinstance(root, Map):
        users.set_defaults(root.get("defaults"), root.marks.get("defaults", _START))
        entries = root.get("users")
        if isinstance(entries, Seq):
            for entry, at in zip(entries, entries.marks, strict=True):
                users.add(entry, at)
    _check_root(root, users, file)
    return users


def _from_ansible(root: Map, file: str, users: Users) -> None:
    meta = root["_meta"]
    hosts = meta.get("hostvars") if isinstance(meta, Map) else None
    if not isinstance(hosts, Map):
        message = "'_meta.hostvars' is missing: not the output of `ansible-inventory --list`"
        users.problems.append(Problem("missing-key", message, place(file, root.marks["_meta"])))
        return
    entries: list[tuple[Map, int]] = []
    for host, variables in hosts.items():
        if isinstance(variables, Map) and any(name.startswith(ANSIBLE_PREFIX) for name in variables):
            entry = _ansible_entry(host, hosts.key_marks[host], variables, file, users)
            entries.append((entry, hosts.marks[host]))
    for entry, at in merge_machine_rows(entries, file, users.problems):
        users.add(entry, at)
    if not entries:
        message = f"no host has a variable that begins with {ANSIBLE_PREFIX}"
        users.problems.append(
            Problem(
                "no-users",
                message,
                place(file, meta.marks["hostvars"]),
                "set variables such as hermes_profile: engineering",
            )
        )


def ansible_field(variable: str) -> str:
    """Return the field that a host variable sets: `hermes_X` sets X, except `hermes_home`, which is a field name."""
    return variable if variable == "hermes_home" else variable.removeprefix(ANSIBLE_PREFIX)


def _ansible_entry(host: str, at: int, variables: Map, file: str, users: Users) -> Map:
    entry, fields = Map(), list(UserEntry.model_fields)
    for name, value in variables.items():
        if not name.startswith(ANSIBLE_PREFIX):
            continue
        field = ansible_field(name)
        if field not in fields or field in entry:
            allowed = [f if f == "hermes_home" else ANSIBLE_PREFIX + f for f in fields]
            where = place(file, variables.key_marks[name])
            users.problems.append(
                Problem("unknown-key", f"unknown host variable {quoted(name)}", where, spelling_hint(name, allowed))
            )
            continue
        entry.put(field, value, variables.key_marks[name], variables.marks[name])
    for key in ("id", "host"):
        if key not in entry:
            entry.put(key, host, at, at)  # the machine's name in Ansible
    return entry


def _from_csv(data: bytes, file: str, users: Users) -> Users:
    try:
        rows = read_csv(data, file)
        header = next(rows, None)
        if header is None:
            users.problems.append(
                Problem(
                    "wrong-type",
                    "the inventory is empty",
                    Place(file),
                    "write the names of the columns into the first row",
                )
            )
            return users
        columns = _columns(header, file, users)
        machines: list[tuple[Map, int]] | None = [] if "machine" in columns else None
        for row in rows:
            if len(row) != len(header):
                at = place(file, row[min(len(row), len(header)) - 1].mark)
                message = f"this row has {len(row)} cells, but the first row has {len(header)}"
                users.problems.append(
                    Problem("csv-cells", message, at, "put a cell that contains a comma in double quotes")
                )
                continue
            if machines is not None:
                machines.append((_csv_entry(row, columns, file, users), row[0].mark))
            elif "id" in columns:
                users.add(_csv_entry(row, columns, file, users), row[0].mark)
        for entry, first in merge_machine_rows(machines or (), file, users.problems):
            users.add(entry, first)
    except BrokenTextError as e:
        users.problems.append(e.problem)
    return users


def _columns(header: list[Cell], file: str, users: Users) -> list[str]:
    """Return the field that each column sets; empty for a refused column."""
    columns: list[str] = []
    for cell in header:
        name = cell.text.strip()
        refusal = _refused_column(name, columns)
        if refusal:
            rule, message, hint = refusal
            users.problems.append(Problem(rule, message, place(file, cell.mark), hint))
        columns.append("" if refusal else name)
    if "id" not in columns:
        hint = "write the names of the columns into the first row"
        users.problems.append(Problem("missing-key", "column 'id' is missing", place(file, header[0].mark), hint))
    return columns


def _refused_column(name: str, before: list[str]) -> tuple[str, str, str] | None:
    """Return rule, message and hint if a column is invalid after those before it, else None."""
    fields = list(UserEntry.model_fields)
    dotted = [f"overrides.{field}" for field in Overrides.model_fields]
    free = name.startswith(("overrides.hermes.", "overrides.env.")) and all(name.split("."))
    if name == "machines":
        return (
            "unknown-key",
            "column 'machines' is not a single value",
            "write a row per machine, with a column `machine`",
        )
    if name in {"overrides.hermes", "overrides.env"}:
        hint = f"name the setting, such as {name}.NAME, or use a column `overrides` with JSON"
        return "unknown-key", f"column {quoted(name)} is not a single value", hint
    if not free and name not in fields and name not in dotted:
        allowed = [*fields, *(dotted if "." in name else [])]
        hint = "separate columns by commas" if ";" in name else spelling_hint(name, allowed)
        return "unknown-key", f"unknown column {quoted(name)}", hint
    if name in before:
        return "csv-duplicate", f"duplicate column {quoted(name)}", "keep one of them"
    clash = next((b for b in before if b and (name.startswith(f"{b}.") or b.startswith(f"{name}."))), None)
    if clash:
        return "csv-duplicate", f"columns {quoted(clash)} and {quoted(name)} set the same value", "keep one of them"
    return None


def _csv_entry(row: list[Cell], columns: list[str], file: str, users: Users) -> Map:
    entry = Map()
    for column, cell in zip(columns, row, strict=True):
        text = cell.text.strip()
        if not column or (not text and column != "recipients"):
            continue
        try:
            value = _csv_value(column, text, cell, file)
        except BrokenTextError as e:
            users.problems.append(e.problem)
            continue
        target, path = entry, column.split(".", 2 if column.startswith("overrides.env.") else -1)
        for step in path[:-1]:
            if step not in target:
                target.put(step, Map(), cell.mark, cell.mark)
            target = target[step]
        target.put(path[-1], value, cell.mark, cell.mark)
    if entry.get("recipients") == [] and "recipients_file" in entry:
        del entry["recipients"]
    return entry


def _csv_value(column: str, text: str, cell: Cell, file: str) -> Any:
    if column == "overrides":
        value, problems = read_json(text.encode(), file)
        if problems:
            raise BrokenTextError(
                Problem(
                    "csv-json",
                    f"overrides: {problems[0].message}",
                    place(file, cell.mark),
                    'such as {"model": "gpt-5.2"}',
                )
            )
        return _moved(value, cell.mark)
    if column in _LISTS:
        items = Seq()
        for part in text.split(LIST_SEPARATOR):
            if part.strip():
                items.put(part.strip(), cell.mark)
        return items
    if column in _TYPED or column.startswith("overrides.hermes."):
        try:
            return resolve_scalar(text)
        except AmbiguousError as e:
            raise BrokenTextError(Problem("yaml-ambiguous", str(e), place(file, cell.mark))) from e
    return text


def _moved(value: Any, at: int) -> Any:
    """Set every mark inside a value to one place: that of its cell."""
    if isinstance(value, Map):
        for key, item in value.items():
            value.key_marks[key] = value.marks[key] = at
            _moved(item, at)
    elif isinstance(value, Seq):
        value.marks = [at] * len(value)
        for item in value:
            _moved(item, at)
    return value
