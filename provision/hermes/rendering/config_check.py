"""Whether a rendered `config.yaml` does what the profile says, read as Hermes 0.19 reads it.

Every refusal is a `TemplateError` that points at the template's line, found by the key that stands there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from provision.detect.shapes import has_secret
from provision.fleet.desired import ApiMode
from provision.hermes.config.naming import INLINE_KEYS, effective_url, normalized_name
from provision.hermes.config.yaml11 import YamlError, parse_yaml11
from provision.hermes.facts import v0_19 as facts
from provision.hermes.rendering.templates import CONFIG, TemplateError, Templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.fleet.desired import EffectiveProfile


_ROUTE_IN_MODEL = frozenset(
    {"base_url", "api_base", "api", "api_key", "api_mode", "model", "name", "key_env", "api_key_env"}
)
"""Keys of `model` that would set or colour a route beside the named provider."""


def check_config(text: str, profile: EffectiveProfile, templates: Templates, digest: str) -> dict[str, Any]:
    """What Hermes reads from a rendered text. Raises TemplateError when it is not what the profile says."""
    judge = _Judge(text, templates)
    try:
        parsed = parse_yaml11(text, CONFIG)
    except YamlError as e:
        judge.refuse_line(f"its result is {e.message}", e.place.line if e.place else 0, e.hint)
    if parsed.duplicates:
        again = parsed.duplicates[0]
        judge.refuse_line(
            f"its result has the key {again.key!r} twice", again.place.line, "Hermes would ignore the first"
        )
    data = parsed.data
    if not isinstance(data, dict):
        judge.refuse("its result must be a mapping", "model")
    _judge_route(judge, data, profile)
    if profile.managed:
        _judge_pins(judge, data, profile)
    judge.same(data, "_config_version", facts.CONFIG_VERSION)
    judge.same(data, "x_provision", {"profile": profile.name, "digest": digest})
    _judge_settings(judge, data, profile)
    _judge_secrets(judge, data, pinned=profile.managed)
    return data


class _Judge:
    def __init__(self, text: str, templates: Templates) -> None:
        self._lines = text.splitlines()
        self._templates = templates

    def refuse(self, message: str, key: str, hint: str = "", above: str = "") -> NoReturn:
        keys = [_key(line) for line in self._lines]
        named = next((k for k in (key, above) if k in keys), None)
        self.refuse_line(message, keys.index(named) + 1 if named else 0, hint)

    def refuse_line(self, message: str, output_line: int, hint: str = "") -> NoReturn:
        key = _key(self._lines[output_line - 1]) if 0 < output_line <= len(self._lines) else ""
        source = self._templates.sources[CONFIG].splitlines()
        line = next((i for i, line in enumerate(source, 1) if key and _key(line) == key), 0)
        raise TemplateError(message, place=self._templates.place(CONFIG, line), hint=hint)

    def same(self, holder: Any, key: str, expected: object, where: str = "") -> None:
        value = holder.get(key) if isinstance(holder, dict) else None
        if value != expected or type(value) is not type(expected):
            said = "nothing" if value is None else "something else"
            self.refuse(
                f"its result must say {where}{key}: {expected!r}, and says {said}", key, above=where.partition(".")[0]
            )


def _key(line: str) -> str:
    return line.partition(":")[0].strip(" -\"'")


def _judge_route(judge: _Judge, data: dict[str, Any], profile: EffectiveProfile) -> None:
    model = data.get("model")
    judge.same(model, "provider", f"custom:{profile.provider}", "model.")
    judge.same(model, "default", profile.model, "model.")
    if not isinstance(model, dict) or model.get("context_length") != profile.context_length:
        judge.refuse(f"its result must say model.context_length: {profile.context_length!r}", "context_length")
    if stray := sorted(model.keys() & _ROUTE_IN_MODEL):
        judge.refuse(f"its result must not say model.{stray[0]}: the named provider has it", stray[0])
    providers = data.get("providers")
    entry = providers.get(profile.provider) if isinstance(providers, dict) else None
    if not isinstance(providers, dict) or not isinstance(entry, dict):
        judge.refuse(f"its result must have providers.{profile.provider}", "providers")
    where = f"providers.{profile.provider}."
    for spelling in ("api", "url", "base_url"):
        if spelling in entry:
            judge.same(entry, spelling, profile.base_url, where)
    if effective_url(entry) != profile.base_url:
        judge.refuse(f"its result must say {where}base_url: {profile.base_url}", profile.provider)
    judge.same(entry, "key_env", profile.key_env, where)
    mode = None if profile.api_mode is ApiMode.AUTO else profile.api_mode.value
    if (entry.get("api_mode") or entry.get("transport")) != mode:
        judge.refuse(f"its result must say {where}api_mode: {mode or '(nothing)'}", "api_mode")
    if entry.get("enabled") is False:
        judge.refuse(f"its result switches {where.rstrip('.')} off", "enabled")
    twins = [n for n in providers if n != profile.provider and normalized_name(n) == normalized_name(profile.provider)]
    if twins:
        judge.refuse(f"its result has a second provider that Hermes takes for {profile.provider}", str(twins[0]))
    if profile.fallback_models:
        chain = [{"provider": f"custom:{profile.provider}", "model": id_} for id_ in profile.fallback_models]
        judge.same(data, "fallback_providers", chain)


def _judge_pins(judge: _Judge, data: dict[str, Any], profile: EffectiveProfile) -> None:
    entry = data["providers"][profile.provider]
    pins = {"name": profile.provider, "api": profile.base_url, "url": profile.base_url, "base_url": profile.base_url}
    for key, pin in {**pins, **facts.MANAGED_PROVIDER_PINS}.items():
        judge.same(entry, key, pin, f"providers.{profile.provider}.")
    for key, pin in facts.MANAGED_MODEL_PINS.items():
        judge.same(data["model"], key, pin, "model.")
    for key, root_pin in facts.MANAGED_ROOT_PINS.items():
        judge.same(data, key, root_pin)


def _judge_settings(judge: _Judge, data: dict[str, Any], profile: EffectiveProfile) -> None:
    for key, value in profile.hermes.items():
        if not _holds(data.get(key), value):
            judge.refuse(f"its result does not hold the profile's hermes.{key} as it is", str(key))


def _holds(have: object, want: object) -> bool:
    if isinstance(want, dict) or hasattr(want, "items"):
        return isinstance(have, dict) and all(_holds(have.get(k), v) for k, v in want.items())
    if isinstance(want, list | tuple):
        return isinstance(have, list) and len(have) == len(want) and all(map(_holds, have, want))
    return bool(have == want) and isinstance(have, bool) == isinstance(want, bool)


def _judge_secrets(judge: _Judge, data: dict[str, Any], *, pinned: bool) -> None:
    for path, value in _leaves(data):
        key = path[-1] if path else ""
        if not isinstance(value, str) or not value or (pinned and value == ""):
            continue
        if key in INLINE_KEYS:
            judge.refuse(f"its result holds {'.'.join(path)}: a key belongs in the .env alone", key)
        if has_secret(value):
            judge.refuse(f"its result holds what looks like a secret at {'.'.join(path)}", key)


def _leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    else:
        yield path, value
