"""Read from an installed release of Hermes which settings and variables it reads, and write the table that `check` uses.

`python tests/craft/hermes_settings.py VENV…` writes `provision/hermes/facts/read_settings.json` from the releases in these
venvs. `tests/acceptance/test_acceptance_settings.py` compares the table with the release that the acceptance tests run.

Nothing is guessed from documentation. A *path* is in the default configuration, or the code looks it up: the look-ups are
followed through assignments, loops, and calls of functions whose name is unique. A *name* is any string constant of the code
that could be a key: a name that is not among them is read nowhere. Paths are followed generously, so a path may be in the table
without effect.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "provision/hermes/facts/read_settings.json"
_PARTS = """acp_adapter agent cron gateway hermes_cli plugins providers tools tui_gateway batch_runner.py cli.py
hermes_bootstrap.py hermes_constants.py hermes_logging.py hermes_state.py hermes_time.py mcp_serve.py model_tools.py run_agent.py
toolset_distributions.py toolsets.py trajectory_compressor.py utils.py"""
_NAME = re.compile(r"[a-z][a-zA-Z0-9_]{2,40}")
_ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
_WHOLE = re.compile(r"(?:load|read|get)_?\w*config\w*|_cfg|_load_cfg|load_cli_config")
_WHOLE_NAMES = re.compile(r"(?:\w*_)?(?:cfg|config)")
_SAME = {"dict", "list", "deepcopy", "copy", "sorted", "_as_dict", "cast", "_coerce_dict"}
_ASK = """
import importlib.metadata, json
from hermes_cli import config
def shape(value):
    return {k: shape(v) for k, v in value.items()} if isinstance(value, dict) else 0
print(json.dumps({
    "version": importlib.metadata.version("hermes-agent"),
    "defaults": shape(config.DEFAULT_CONFIG),
    "roots": sorted(set(config.DEFAULT_CONFIG) | set(getattr(config, "_KNOWN_ROOT_KEYS", ()))
                    | set(getattr(config, "_EXTRA_KNOWN_ROOT_KEYS", ()))),
}))
"""
_UNLISTED = {"platform_toolsets"}
"""Roots that older releases read although none of their lists has them."""
_STEPS = (
    *(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.For, ast.AsyncFor, ast.comprehension, ast.Return, ast.Compare),
    *(ast.Call, ast.Subscript),
)
_MCP_FILES = re.compile(r"(?:tools|hermes_cli)/mcp_\w+\.py")
_MCP_HOLDERS = {
    "config": "mcp_servers.*", "cfg": "mcp_servers.*", "_config": "mcp_servers.*", "srv_cfg": "mcp_servers.*",
    "server_config": "mcp_servers.*", "server_cfg": "mcp_servers.*", "server_entry": "mcp_servers.*",
    "tools_filter": "mcp_servers.*.tools", "tools_cfg": "mcp_servers.*.tools", "tools_block": "mcp_servers.*.tools",
}  # fmt: skip
"""How the modules about MCP servers call a server's section, and its filter of tools: a closed section needs an exact list."""
_MCP_PARTS = {
    "sampling": "allowed_models enabled log_level max_rpm max_tokens_cap max_tool_rounds model timeout",
    "oauth": "client_id client_name client_secret redirect_host redirect_port redirect_uri scope _resolved_port",
}
"""Keys that are looked up in a part of a server's section (`SamplingHandler`, `tools/mcp_oauth.py`), not in the section."""
_BOTH = {"enabled", "timeout"}
_ROUNDS = 4
"""How many calls deep a part of the configuration is followed."""
_DEEPEST = 5
_LONGEST = 64
Paths = frozenset[tuple[str, ...]]
_NONE: Paths = frozenset()


class _Code:
    """The look-ups of one release: `found` has the paths, `names` and `env` all constants that look like a key or variable."""

    def __init__(self, packages: Path, roots: set[str]) -> None:
        self.roots = roots
        self.found: set[tuple[str, ...]] = set()
        self.names: set[str] = set()
        self.env: set[str] = set()
        self.shared: set[str] = set()
        self.mcp: set[tuple[str, ...]] = set()
        self.returned: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        self.passed: dict[tuple[str, int | str], set[tuple[str, ...]]] = defaultdict(set)
        functions: list[_Function] = []
        for file in _files(packages):
            text = file.read_text("utf-8")
            if _MCP_FILES.search(file.as_posix()):
                self._read_mcp(ast.parse(text))
            self._read(ast.parse(text), functions if "cfg" in text or "config" in text else [], None)
        names = Counter(function.node.name for function in functions)
        self.shared = {name for name, count in names.items() if count > 1} | {""}
        for _ in range(_ROUNDS):
            for function in functions:
                function.follow()

    def _read_mcp(self, tree: ast.AST) -> None:
        for node in ast.walk(tree):
            holder, key = None, None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                if node.func.attr in ("get", "pop", "setdefault"):
                    holder, key = node.func.value, node.args[0]
            elif isinstance(node, ast.Subscript):
                holder, key = node.value, node.slice
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
                holder, key = node.comparators[0], node.left
            name = getattr(holder, "attr", getattr(holder, "id", ""))
            if name in _MCP_HOLDERS and isinstance(key, ast.Constant) and isinstance(key.value, str):
                part = next((p for p, keys in _MCP_PARTS.items() if key.value in keys.split()), None)
                if part:
                    self.mcp.add(("mcp_servers", "*", part, key.value))
                if not part or key.value in _BOTH:
                    self.mcp.add((*_MCP_HOLDERS[name].split("."), key.value))

    def _read(self, node: ast.AST, functions: list[_Function], inside: _Function | None) -> None:
        """Note all constants, and the steps of each function."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Constant):
                if isinstance(child.value, str) and len(child.value) < _LONGEST:
                    if _NAME.fullmatch(child.value):
                        self.names.add(child.value)
                    elif _ENV_NAME.fullmatch(child.value):
                        self.env.add(child.value)
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(_Function(self, child))
                self._read(child, functions, functions[-1])
                continue
            if inside and isinstance(child, _STEPS):
                inside.nodes.append(child)
            self._read(child, functions, inside)

    def below(self, paths: Paths, key: str) -> Paths:
        """The paths one key further; those that are settings of Hermes are noted."""
        reached = frozenset((*p, key) for p in paths if len(p) < _DEEPEST and (p or key in self.roots))
        self.found |= reached
        return reached


class _Function:
    """One function: which of its variables hold which part of the configuration."""

    def __init__(self, code: _Code, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.code, self.node = code, node
        self.nodes: list[ast.AST] = []
        self.held: dict[str, Paths] = defaultdict(frozenset)

    def follow(self) -> None:
        """Follow the steps of the function once, from what its callers pass."""
        arguments = [*self.node.args.posonlyargs, *self.node.args.args]
        if arguments and arguments[0].arg in ("self", "cls"):
            arguments = arguments[1:]
        if self.node.name not in self.code.shared:
            for index, argument in enumerate([*arguments, *self.node.args.kwonlyargs]):
                passed = self.code.passed[self.node.name, index] | self.code.passed[self.node.name, argument.arg]
                self.held[argument.arg] |= passed
        for node in self.nodes:
            self._step(node)

    def _step(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, self.value(node.value))
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value:
            self._bind(node.target, self.value(node.value))
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._bind_items(node.target, node.iter)
        elif isinstance(node, ast.Return) and node.value and self.node.name not in self.code.shared:
            self.code.returned[self.node.name] |= self.value(node.value)
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            if isinstance(node.ops[0], ast.In | ast.NotIn):
                self.code.below(self.value(node.comparators[0]), node.left.value)
        elif isinstance(node, ast.Call | ast.Subscript):
            self.value(node)

    def _bind(self, target: ast.expr, paths: Paths) -> None:
        if isinstance(target, ast.Name) and paths:
            self.held[target.id] |= paths

    def _bind_items(self, target: ast.expr, source: ast.expr) -> None:
        if isinstance(source, ast.Call) and isinstance(source.func, ast.Name) and source.args:
            source = source.args[0]  # enumerate(), list(), sorted()
        call = source.func if isinstance(source, ast.Call) else None
        if isinstance(call, ast.Attribute) and call.attr in ("items", "values"):
            item = self.code.below(self.value(call.value), "*")
            pair = call.attr == "items" and isinstance(target, ast.Tuple)
            self._bind(target.elts[-1] if pair and isinstance(target, ast.Tuple) else target, item)
        else:
            self._bind(target, self.code.below(self.value(source), "*"))

    def value(self, node: ast.expr) -> Paths:
        """The parts of the configuration that an expression may be; looks below them are noted."""
        if isinstance(node, ast.Name):
            return self.held[node.id] or (frozenset({()}) if _WHOLE_NAMES.fullmatch(node.id) else _NONE)
        if isinstance(node, ast.BoolOp):
            return _NONE.union(*map(self.value, node.values))
        if isinstance(node, ast.IfExp):
            return self.value(node.body) | self.value(node.orelse)
        if isinstance(node, ast.NamedExpr | ast.Await):
            return self.value(node.value)
        if isinstance(node, ast.Attribute):
            return frozenset({()}) if _WHOLE_NAMES.fullmatch(node.attr) else _NONE
        if isinstance(node, ast.Subscript):
            return self._key(node.value, node.slice)
        return self._called(node) if isinstance(node, ast.Call) else _NONE

    def _key(self, holder: ast.expr, key: ast.expr) -> Paths:
        name = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else "*"
        return self.code.below(self.value(holder), name)

    def _called(self, node: ast.Call) -> Paths:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if isinstance(function, ast.Attribute) and name in ("get", "pop", "setdefault") and node.args:
            return self._key(function.value, node.args[0])
        if name == "cfg_get" and node.args:
            paths = self.value(node.args[0])
            for key in node.args[1:]:
                paths = self.code.below(paths, str(key.value) if isinstance(key, ast.Constant) else "*")
            return paths
        if name in _SAME and node.args:
            return self.value(node.args[-1] if name == "cast" else node.args[0])
        if name == "copy" and isinstance(function, ast.Attribute):
            return self.value(function.value)
        if name not in self.code.shared:
            for index, argument in enumerate(node.args):
                self.code.passed[name, index] |= {p for p in self.value(argument) if p}
            for keyword in node.keywords:
                self.code.passed[name, keyword.arg or ""] |= {p for p in self.value(keyword.value) if p}
        if _WHOLE.fullmatch(name) and not self.code.returned[name]:
            return frozenset({()})
        return frozenset(self.code.returned[name])


def _files(packages: Path) -> list[Path]:
    parts = [packages / name for name in _PARTS.split()]
    return [file for part in parts for file in ([part] if part.is_file() else sorted(part.rglob("*.py")))]


def _default_paths(shape: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    paths = []
    for key, below in shape.items():
        paths.append((*above, key))
        if below:
            paths += _default_paths(below, (*above, key))
    return paths


def read_release(python: Path, home: Path, environ: dict[str, str]) -> dict[str, Any]:
    """What the release of this interpreter reads: version, paths, names, env."""
    ran = subprocess.run(
        [python, "-c", _ASK], env={**environ, "HERMES_HOME": str(home)}, cwd=home, capture_output=True, check=True
    )
    asked = json.loads(ran.stdout.splitlines()[-1])
    packages = next((python.parents[1] / "lib").glob("python3*")) / "site-packages"
    code = _Code(packages, {*asked["roots"], *_UNLISTED})
    followed = {path for path in code.found if path[0] != "mcp_servers"}
    paths = followed | code.mcp | set(_default_paths(asked["defaults"])) | {(root,) for root in asked["roots"]}
    known = {".".join(path) for path in paths if all(_plain(key) for key in path)}
    return {"version": asked["version"], "paths": known, "names": code.names, "env": code.env}


def _plain(key: str) -> bool:
    return key == "*" or bool(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", key))


def _table(releases: list[dict[str, Any]]) -> str:
    versions = [release["version"] for release in releases]

    def by_releases(kind: str) -> dict[str, str]:
        """The names by the releases that have them: `0.16.0 0.19.0`."""
        groups: dict[str, list[str]] = defaultdict(list)
        for name in sorted(set().union(*(release[kind] for release in releases))):
            groups[" ".join(release["version"] for release in releases if name in release[kind])].append(name)
        return {group: " ".join(names) for group, names in sorted(groups.items())}

    source = "read from the installed package hermes-agent by tests/craft/hermes_settings.py"
    table = {"source": source, "versions": versions, **{kind: by_releases(kind) for kind in ("paths", "names", "env")}}
    return json.dumps(table, indent=1) + "\n"


def main() -> None:
    """Write the table from the venvs of the command line, oldest release first."""
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        releases = [read_release(Path(venv) / "bin/python", Path(home), dict(os.environ)) for venv in sys.argv[1:]]
    TABLE.write_text(_table(releases), "utf-8")


if __name__ == "__main__":
    main()
