"""Check that a rendered `config.yaml`, read as Hermes reads it, does what the profile says.

Every refusal is a `TemplateError` with the template's line, found by the key on that line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from provision.detect.shapes import has_secret
from provision.fleet.desired import ApiMode, SideRoutes
from provision.hermes.config.naming import effective_url, normalized_name
from provision.hermes.config.yaml11 import YamlError, parse_yaml11
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import NEWEST_VERIFIED
from provision.hermes.rendering.side_pins import key_reference, rendered_settings
from provision.hermes.rendering.templates import CONFIG, TemplateError, Templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.fleet.desired import EffectiveProfile


def check_config(text: str, profile: EffectiveProfile, templates: Templates, digest: str) -> dict[str, Any]:
    """Return what Hermes reads from a rendered text. Raises TemplateError if that differs from the profile."""
    check = _Checker(text, templates)
    try:
        parsed = parse_yaml11(text, CONFIG)
    except YamlError as e:
        check.refuse_line(f"the result is {e.message}", e.place.line if e.place else 0, e.hint)
    if parsed.duplicates:
        again = parsed.duplicates[0]
        check.refuse_line(
            f"the result contains the key {again.key!r} twice", again.place.line, "keep one: Hermes ignores the first"
        )
    data = parsed.data
    if not isinstance(data, dict):
        check.refuse("the result must be a mapping", "model")
    _check_route(check, data, profile)
    if profile.managed:
        _check_pins(check, data, profile)
    check.same(data, facts.VERSION_KEY, NEWEST_VERIFIED.config_version)
    check.same(data, "x_provision", {"profile": profile.name, "digest": digest, **_side_policy(profile)})
    _check_settings(check, data, profile)
    _check_secrets(check, data, pinned=profile.managed, reference=key_reference(profile))
    return data


class _Checker:
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
            found = "nothing" if value is None else "another value"
            self.refuse(
                f"the result must set {where}{key}: {expected!r}, but sets {found}", key, above=where.partition(".")[0]
            )


def _key(line: str) -> str:
    return line.partition(":")[0].strip(" -\"'")


def _check_route(check: _Checker, data: dict[str, Any], profile: EffectiveProfile) -> None:
    model = data.get("model")
    check.same(model, "provider", f"custom:{profile.provider}", "model.")
    check.same(model, "default", profile.model, "model.")
    if not isinstance(model, dict) or model.get(facts.CONTEXT_LENGTH) != profile.context_length:
        check.refuse(f"the result must set model.context_length: {profile.context_length!r}", facts.CONTEXT_LENGTH)
    if stray := sorted(model.keys() & set(facts.ROUTE_KEYS_IN_MODEL)):
        check.refuse(f"the result must not set model.{stray[0]}: the named provider sets it", stray[0])
    providers = data.get(facts.PROVIDERS)
    entry = providers.get(profile.provider) if isinstance(providers, dict) else None
    if not isinstance(providers, dict) or not isinstance(entry, dict):
        check.refuse(f"the result must contain providers.{profile.provider}", facts.PROVIDERS)
    where = f"providers.{profile.provider}."
    for spelling in facts.URL_KEYS:
        if spelling in entry:
            check.same(entry, spelling, profile.base_url, where)
    if effective_url(entry) != profile.base_url:
        check.refuse(f"the result must set {where}base_url: {profile.base_url}", profile.provider)
    check.same(entry, facts.KEY_ENV, profile.key_env, where)
    mode = None if profile.api_mode is ApiMode.AUTO else profile.api_mode.value
    if (entry.get(facts.API_MODE) or entry.get(facts.TRANSPORT)) != mode:
        check.refuse(f"the result must set {where}api_mode: {mode or '(nothing)'}", facts.API_MODE)
    if entry.get("enabled") is False:
        check.refuse(f"the result switches {where.rstrip('.')} off", "enabled")
    twins = [n for n in providers if n != profile.provider and normalized_name(n) == normalized_name(profile.provider)]
    if twins:
        check.refuse(f"the result contains a second provider that Hermes takes for {profile.provider}", str(twins[0]))
    if profile.fallback_models:
        chain = [{"provider": f"custom:{profile.provider}", "model": id_} for id_ in profile.fallback_models]
        check.same(data, facts.FALLBACK_PROVIDERS, chain)


def _check_pins(check: _Checker, data: dict[str, Any], profile: EffectiveProfile) -> None:
    entry = data[facts.PROVIDERS][profile.provider]
    pins = {
        "name": profile.provider,
        "api": profile.base_url,
        "url": profile.base_url,
        facts.BASE_URL: profile.base_url,
    }
    for key, pin in {**pins, **facts.MANAGED_PROVIDER_PINS}.items():
        check.same(entry, key, pin, f"providers.{profile.provider}.")
    for key, pin in facts.MANAGED_MODEL_PINS.items():
        check.same(data["model"], key, pin, "model.")
    for key, root_pin in facts.MANAGED_ROOT_PINS.items():
        check.same(data, key, root_pin)


def _check_settings(check: _Checker, data: dict[str, Any], profile: EffectiveProfile) -> None:
    for key, value in rendered_settings(profile).items():
        if not _holds(data.get(key), value):
            check.refuse(f"the result does not contain the profile's hermes.{key} unchanged", str(key))


def _side_policy(profile: EffectiveProfile) -> dict[str, object]:
    """Return what the marker says about side routes and the policy: only what differs from the default."""
    policy: dict[str, object] = {}
    if profile.side_routes is not SideRoutes.TEAM:
        policy["side_routes"] = profile.side_routes.value
    if profile.allowed_hosts:
        policy["allowed_hosts"] = list(profile.allowed_hosts)
    if profile.policy and (rules := profile.policy.fields()):
        policy["policy"] = rules
    return policy


def _holds(have: object, want: object) -> bool:
    if isinstance(want, dict) or hasattr(want, "items"):
        return isinstance(have, dict) and all(_holds(have.get(k), v) for k, v in want.items())
    if isinstance(want, list | tuple):
        return isinstance(have, list) and len(have) == len(want) and all(map(_holds, have, want))
    return bool(have == want) and isinstance(have, bool) == isinstance(want, bool)


def _check_secrets(check: _Checker, data: dict[str, Any], *, pinned: bool, reference: str) -> None:
    for path, value in _leaves(data):
        key = path[-1] if path else ""
        if not isinstance(value, str) or not value or (pinned and value == ""):
            continue
        if key in facts.INLINE_KEYS and not (path[0] == facts.AUXILIARY and value == reference):
            check.refuse(f"the result contains {'.'.join(path)}: keys are stored in .env only", key)
        if has_secret(value):
            check.refuse(f"the result contains what looks like a secret at {'.'.join(path)}", key)


def _leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    else:
        yield path, value
