"""Hazards of the configuration itself: what the main route is made of, and what in it does not mean what it seems to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provision.detect.shapes import is_placeholder
from provision.hermes.facts.v0_19 import CONFIG_NAME, CONFIG_VERSION, ENV_NAME, MIN_CONTEXT_LENGTH, NO_KEY
from provision.hermes.routing.hazards import Hazard, RouteContext, error, note, warning
from provision.hermes.routing.layers import unresolved
from provision.hermes.routing.providers import URL_KEYS, compatible_entries, fold_name, resolve_alias
from provision.hermes.routing.wire import hostname, is_loopback, parse_mode, same_url

if TYPE_CHECKING:
    from collections.abc import Iterator

_OUTRANKED = "the managed scope outranks what is installed in this home"
_LEAVE_SCOPE = "as root, remove what an earlier install left there, unless it serves another user of this machine"
KEY_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie"})


def config_hazards(s: RouteContext) -> Iterator[Hazard]:
    """All hazards of config.yaml and auth.json that concern the main route."""
    yield from _documents(s)
    yield from _provider(s)
    yield from _entries(s)
    yield from _key(s)
    yield from _url(s)
    yield from _mode(s)
    yield from _request(s)
    yield from _context(s)


def _documents(s: RouteContext) -> Iterator[Hazard]:
    layers = s.layers
    if layers.user.malformed or (layers.user.value is not None and not isinstance(layers.user.value, dict)):
        reason = layers.user.malformed or "not a mapping"
        why = f"Hermes ignores this file and uses its defaults: {reason}"
        yield error("config-malformed", layers.user_path, why, "repair the file")
    if layers.user.beyond:
        yield error("config-beyond", layers.user_path, f"cannot tell: {layers.user.beyond}", "look at the file by hand")
    managed = s.files.managed
    if managed is not None:
        path = managed.where(CONFIG_NAME)
        if s.managed is None:
            why = "the managed scope of this machine does not apply to this home"
            yield error("managed-not-applied", path, why, "see HERMES_MANAGED_DIR")
        if layers.managed.malformed or (
            layers.managed.value is not None and not isinstance(layers.managed.value, dict)
        ):
            why = f"Hermes ignores the managed configuration: {layers.managed.malformed or 'not a mapping'}"
            yield error("managed-malformed", path, why, "repair the file")
        if layers.managed.beyond:
            yield error("managed-beyond", path, f"cannot tell: {layers.managed.beyond}", "look at the file by hand")
        if managed.config is None and managed.env is None:
            yield warning(
                "managed-empty", managed.path, "the managed scope holds neither file", "put them there, or remove it"
            )
        if isinstance(layers.managed.mapping.get("model"), str):
            why = "a managed model that is no mapping replaces the whole model section, provider included"
            yield error("managed-model-text", f"{path} model", why, "write model: {default: …}")
        if s.expected and not s.expected.managed and "x_provision" in layers.managed.mapping:
            yield note("managed-left", path, _OUTRANKED, _LEAVE_SCOPE)
        if "secrets" in layers.managed.mapping:
            why = "Hermes reads secrets: from the home only"
            yield note("managed-secrets", f"{path} secrets", why, "set it in the home's config.yaml")
    version = s.layers.config.get("_config_version")
    if layers.user.mapping and version != CONFIG_VERSION:
        why = f"without _config_version: {CONFIG_VERSION} Hermes rewrites this file when it migrates, and drops its comments"
        yield note("config-version", f"{layers.user_path} _config_version", why, f"set it to {CONFIG_VERSION}")


def _provider(s: RouteContext) -> Iterator[Hazard]:
    bare = s.requested.removeprefix("custom:")
    where = s.layers.where("model", "provider")
    providers = s.layers.config.get("providers")
    if resolve_alias(s.requested) not in {None, "custom", "auto"} and not (s.runtime and s.runtime.entry):
        shadowed = isinstance(providers, dict) and s.requested in {
            fold_name(k) for k in providers if isinstance(k, str)
        }
        why = "the name belongs to a provider that is built into Hermes" + (
            ", which hides your entry" if shadowed else ""
        )
        yield error("built-in-provider", where, why, "use model.provider: custom:NAME with a name of your own")
    elif resolve_alias(bare) not in {None, "custom", "auto"}:
        why = f"{bare} is also the name of a built-in provider: without the prefix custom: Hermes would use that"
        yield warning("built-in-name", where, why, "name the provider otherwise")
    entry = providers.get(bare) if isinstance(providers, dict) else None
    if isinstance(entry, dict) and entry.get("enabled") is False:
        why = "enabled: false does not switch off a provider that is asked for as custom:NAME through custom_providers"
        yield warning(
            "disabled-provider", s.layers.where("providers", bare, "enabled"), why, "remove the entry instead"
        )
    if s.requested == "auto":
        yield warning(
            "no-provider", where, "no provider is named, so Hermes picks one by the keys it finds", "name one"
        )
    if s.runtime and s.runtime.plain and s.runtime.provider == "custom":
        why = (
            "a plain custom provider reads no key_env, and CUSTOM_BASE_URL or an entry of the same URL can redirect it"
        )
        yield warning("plain-custom", where, why, "define the endpoint under providers: and name it custom:NAME")


def _entries(s: RouteContext) -> Iterator[Hazard]:
    """Entries that answer to the same name, and entries whose spellings of the URL disagree."""
    wanted = fold_name(s.requested).removeprefix("custom:")
    rivals: list[tuple[str | int, ...]] = []
    providers = s.layers.config.get("providers")
    for key, entry in providers.items() if isinstance(providers, dict) else ():
        names = {
            fold_name(n) for n in (key, entry.get("name") if isinstance(entry, dict) else None) if isinstance(n, str)
        }
        if wanted in names and isinstance(entry, dict):
            rivals.append(("providers", str(key)))
            yield from _spellings(s, str(key), entry)
    listed = s.layers.config.get("custom_providers")
    for number, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and fold_name(entry["name"]) == wanted:
            rivals.append(("custom_providers", number))
    chosen = s.runtime.entry if s.runtime else ()
    for path in rivals:
        if len(rivals) > 1 and path != chosen:
            why = f"another entry that answers to the name {wanted}; the first one found gives the URL, and either the key"
            yield error("second-entry", s.layers.where(*path), why, "remove it")
    if isinstance(listed, dict):
        yield error(
            "custom-providers-mapping", s.layers.where("custom_providers"), "Hermes ignores it", "make it a list"
        )


def _spellings(s: RouteContext, key: str, entry: dict[Any, Any]) -> Iterator[Hazard]:
    said = {k: str(entry[k]).strip().rstrip("/") for k in URL_KEYS if entry.get(k)}
    if len(set(said.values())) > 1:
        winner = next(k for k in URL_KEYS if k in said)
        why = f"the entry names several URLs; {winner} wins ({' before '.join(said)})"
        yield error("url-precedence", s.layers.where("providers", key, winner), why, "keep one of them")
    for name in ("api_key_env", "apiKeyEnv"):
        if entry.get(name) and not entry.get("key_env"):
            yield error(
                "key-env-alias", s.layers.where("providers", key, name), "Hermes does not read it here", "write key_env"
            )
    if entry.get("api_mode") and entry.get("transport") and entry["api_mode"] != entry["transport"]:
        why = "api_mode and transport differ; api_mode wins"
        yield warning("mode-precedence", s.layers.where("providers", key, "transport"), why, "keep one of them")


def _key(s: RouteContext) -> Iterator[Hazard]:
    runtime = s.runtime
    if runtime is None:
        return
    where = s.layers.where(*runtime.entry) if runtime.entry else s.layers.where("model")
    if not s.key:
        why = f"Hermes finds no key and sends {NO_KEY!r} instead, without a warning"
        yield error("no-key", where, why, f"put the key into {s.home.where(ENV_NAME)} under the entry's key_env")
    elif unresolved(s.key):
        why = f"${{{unresolved(s.key)[0]}}} is not set, so this text itself is sent as the key"
        yield error("unresolved-reference", where, why, "set the variable, or use key_env")
    elif is_placeholder(s.key):
        yield error("placeholder-key", runtime.key_source, "a placeholder is sent as the key", "put the real key there")
    if runtime.pool and runtime.pool.manual:
        why = f"a key added by `hermes auth add` ({runtime.pool.pool}) is used before key_env"
        yield error(
            "pool-key", f"{s.home.where('auth.json')} credential_pool.{runtime.pool.pool}", why, "remove that entry"
        )
    elif runtime.pool or runtime.key_source.endswith(".api_key") or runtime.key_source == "model.api":
        source = s.layers.where(
            *(int(p) if p.isdigit() else p for p in runtime.key_source.replace("[", ".").replace("]", "").split("."))
        )
        why = (
            "a key in clear in the configuration is used before key_env"
            if runtime.pool
            else "the key stands in clear here"
        )
        yield error("inline-key", source, why, "move the key to .env and remove this line")


def _url(s: RouteContext) -> Iterator[Hazard]:
    runtime = s.runtime
    if runtime is None:
        return
    where = s.layers.where(*runtime.entry) if runtime.entry else runtime.url_source
    if names := unresolved(runtime.base_url):
        yield error(
            "unresolved-reference", where, f"${{{names[0]}}} is not set, so the URL is none", "write the URL itself"
        )
        return
    try:
        parts = urlsplit(runtime.base_url)
        userinfo = parts.username or parts.password
    except ValueError:
        return
    if userinfo:
        yield error(
            "url-userinfo", where, "the name and password in the URL are sent in the key's place", "remove them"
        )
    if parts.query:
        yield warning(
            "url-query", where, "Messages mode garbles a URL with a query, and queries are logged", "remove it"
        )
    if parts.scheme == "http" and not is_loopback(runtime.base_url):
        yield error("plain-http", where, "the key travels unencrypted", "use https://")


def _mode(s: RouteContext) -> Iterator[Hazard]:
    entry = _entry_of(s)
    for name, value, path in (
        *((k, entry.get(k), (*s.runtime.entry, k)) for k in ("api_mode", "transport") if s.runtime and s.runtime.entry),
        ("api_mode", s.asked.setting("api_mode") if not (s.runtime and s.runtime.entry) else "", ("model", "api_mode")),
    ):
        if value and not parse_mode(value):
            why = f"{name} is none that Hermes knows, so it silently uses chat completions"
            yield error(
                "invalid-mode",
                s.layers.where(*path),
                why,
                "use chat_completions, codex_responses or anthropic_messages",
            )
    runtime = s.runtime
    wanted = parse_mode(s.asked.setting("api_mode"))
    if runtime and runtime.plain and runtime.provider == "custom" and wanted == "codex_responses" != runtime.mode:
        why = "a plain custom provider ignores codex_responses and silently uses chat completions"
        yield error(
            "responses-ignored", s.layers.where("model", "api_mode"), why, "define the endpoint under providers:"
        )


def _request(s: RouteContext) -> Iterator[Hazard]:
    """Settings that change the request of the chosen endpoint: headers, body, TLS."""
    for name in ("default_headers", "extra_headers"):
        headers = s.asked.model.get(name)
        yield from _headers(s, headers, s.layers.where("model", name))
    for entry, path in compatible_entries(s.layers.config):
        if not (s.base_url and same_url(entry["base_url"], s.base_url)):
            continue
        yield from _headers(s, entry.get("extra_headers"), s.layers.where(*path, "extra_headers"))
        if isinstance(body := entry.get("extra_body"), dict) and "model" in body:
            why = "extra_body replaces the model of every request"
            yield error("extra-body-model", s.layers.where(*path, "extra_body", "model"), why, "remove it")
        if str(entry.get("ssl_verify", "")).strip().lower() in {"false", "0", "no", "off"}:
            why = "certificates are not checked: anybody on the way can read the key"
            yield error("tls-off", s.layers.where(*path, "ssl_verify"), why, "remove it")
        if entry.get("ssl_ca_cert"):
            why = "replaces the certificates that Hermes trusts"
            yield note(
                "tls-trust", s.layers.where(*path, "ssl_ca_cert"), why, "see that only your own authority is in it"
            )


def _headers(s: RouteContext, headers: object, where: str) -> Iterator[Hazard]:
    for name in headers if isinstance(headers, dict) else ():
        if str(name).lower() in KEY_HEADERS:
            why = f"the header {str(name).lower()} is sent with every request, beside or instead of the key"
            yield error("extra-header-key", f"{where}.{str(name).lower()}", why, "remove it; the key belongs into .env")


def _context(s: RouteContext) -> Iterator[Hazard]:
    length = s.asked.model.get("context_length")
    try:
        number = int(length) if length is not None else None
    except (TypeError, ValueError):
        why = "Hermes takes a plain number only, and detects the length itself"
        yield warning("context-length", s.layers.where("model", "context_length"), why, "write a whole number")
        return
    if number is not None and 0 < number < MIN_CONTEXT_LENGTH:
        why = f"Hermes refuses to start with less than {MIN_CONTEXT_LENGTH}"
        yield error("context-length", s.layers.where("model", "context_length"), why, "raise it, or leave it out")


def _entry_of(s: RouteContext) -> dict[Any, Any]:
    node: Any = s.layers.config
    for step in s.runtime.entry if s.runtime else ():
        node = node.get(step, {}) if isinstance(node, dict) else node[int(step)]
    return node if isinstance(node, dict) and s.runtime and s.runtime.entry else {}


def mismatches(s: RouteContext, *, model: str, mode: str, fingerprint: str | None) -> Iterator[Hazard]:
    """Where the route differs from what is expected; nothing when nothing is."""
    if s.expected is None or s.runtime is None:
        return
    want = s.expected
    entry = ("providers", want.provider)
    if fold_name(s.requested).removeprefix("custom:") != fold_name(want.provider):
        yield _mismatch(s, "provider", "another provider than provisioned is in use", "model", "provider")
    if not same_url(s.base_url, want.base_url):
        why = f"requests go to {hostname(s.base_url) or 'nowhere'}, not to the provisioned URL"
        yield _mismatch(s, "url", why, *entry, "base_url")
    if model != want.model:
        yield _mismatch(s, "model", "another model than provisioned is asked", "model", "default")
    if want.api_mode not in {mode, "auto"}:
        yield _mismatch(s, "mode", f"the API mode is {mode}, not {want.api_mode}", *entry, "api_mode")
    if want.key_fingerprint and fingerprint and fingerprint != want.key_fingerprint:
        why = "another key than the provisioned one is sent"
        yield error("wrong-key", s.runtime.key_source, why, "install the bundle again")


def _mismatch(s: RouteContext, what: str, why: str, *path: str) -> Hazard:
    """An error about a setting, and where to mend it: an install into the home is of no use against the managed scope."""
    if s.expected and not s.expected.managed and s.layers.is_managed(*path):
        return error(f"wrong-{what}", s.layers.where(*path), f"{why}: {_OUTRANKED}", _LEAVE_SCOPE)
    return error(f"wrong-{what}", s.layers.user_path, why, "install the bundle again")
