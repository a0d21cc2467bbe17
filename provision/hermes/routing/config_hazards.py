"""Hazards of the configuration: settings of the main route, and settings with a misleading meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provision.detect.shapes import is_placeholder
from provision.hermes.facts import names as facts
from provision.hermes.routing.hazards import Hazard, RouteContext, error, note, warning
from provision.hermes.routing.layers import unresolved
from provision.hermes.routing.lookalike import looks_like
from provision.hermes.routing.providers import compatible_entries, fold_name, resolve_alias
from provision.hermes.routing.wire import hostname, is_loopback, parse_mode, same_url, sent_host

if TYPE_CHECKING:
    from collections.abc import Iterator

_OUTRANKED = "the managed scope overrides what is installed in this home"
_LEAVE_SCOPE = "as root, remove the files of an earlier install there, unless another user of this machine needs them"


def config_hazards(s: RouteContext) -> Iterator[Hazard]:
    """Yield all hazards of config.yaml and auth.json for the main route."""
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
        yield error("config-malformed", layers.user_path, why, "correct the file")
    if layers.user.beyond:
        yield error("config-beyond", layers.user_path, f"not read: {layers.user.beyond}", "inspect the file by hand")
    yield from _managed(s)
    current = s.environment.hermes.config_version
    version = s.layers.config.get(facts.VERSION_KEY)
    if layers.user.mapping and not (isinstance(version, int) and version >= current):
        why = f"with a lower _config_version than {current} Hermes migrates this file, and may remove its comments"
        cure = (
            f"set it to {current}"
            if s.environment.hermes.verified
            else "let Hermes migrate it, then install the bundle again"
        )
        yield note("config-version", f"{layers.user_path} _config_version", why, cure)


def _managed(s: RouteContext) -> Iterator[Hazard]:
    """Report a managed scope that is not applied, or not as intended."""
    layers, managed = s.layers, s.files.managed
    if managed is None:
        return
    path = managed.where(facts.CONFIG_NAME)
    if not s.environment.hermes.managed_scope:
        why = f"Hermes {s.environment.hermes.version} has no managed scope: it ignores these files"
        yield error("managed-not-applied", path, why, "update Hermes on this machine")
    elif s.managed is None:
        why = "the managed scope of this machine does not apply to this home"
        yield error("managed-not-applied", path, why, "check HERMES_MANAGED_DIR in .env")
    if layers.managed.malformed or (layers.managed.value is not None and not isinstance(layers.managed.value, dict)):
        why = f"Hermes ignores the managed configuration: {layers.managed.malformed or 'not a mapping'}"
        yield error("managed-malformed", path, why, "correct the file")
    if layers.managed.beyond:
        yield error("managed-beyond", path, f"not read: {layers.managed.beyond}", "inspect the file by hand")
    if managed.config is None and managed.env is None:
        yield warning(
            "managed-empty",
            managed.path,
            "the managed scope contains neither config.yaml nor .env",
            "install them, or remove the folder",
        )
    if isinstance(layers.managed.mapping.get("model"), str) and not s.environment.hermes.managed_model_text:
        why = "a managed model that is not a mapping replaces the whole model section, provider included"
        yield error("managed-model-text", f"{path} model", why, "write model: {default: …}")
    if s.files.managed_writers is None:
        why = "who may change the managed scope is unknown: its access control list cannot be read"
        yield warning("managed-writable", managed.path, why, "let an administrator check the folder")
    elif s.files.managed_writers:
        why = f"others than administrators may change the managed scope: {', '.join(s.files.managed_writers)}"
        yield warning("managed-writable", managed.path, why, "give the folder and its files to administrators alone")
    if s.expected and not s.expected.managed and "x_provision" in layers.managed.mapping:
        yield note("managed-left", path, _OUTRANKED, _LEAVE_SCOPE)
    if "secrets" in layers.managed.mapping:
        why = "Hermes reads secrets: only from the home"
        yield note("managed-secrets", f"{path} secrets", why, "set it in the home's config.yaml")


def _provider(s: RouteContext) -> Iterator[Hazard]:
    bare = s.requested.removeprefix(facts.CUSTOM_PREFIX)
    where = s.layers.where("model", "provider")
    providers = s.layers.config.get(facts.PROVIDERS)
    if resolve_alias(s.requested, s.environment.hermes) not in {None, "custom", "auto"} and not (
        s.runtime and s.runtime.entry
    ):
        shadowed = isinstance(providers, dict) and s.requested in {
            fold_name(k) for k in providers if isinstance(k, str)
        }
        why = "the name belongs to a built-in provider of Hermes" + (", which hides your entry" if shadowed else "")
        cure = "install the bundle again" if s.expected else "set model.provider: custom:NAME with another name"
        yield error("built-in-provider", where, why, cure)
    elif resolve_alias(bare, s.environment.hermes) not in {None, "custom", "auto"}:
        why = f"{bare} is also the name of a built-in provider, which Hermes uses without the prefix custom:"
        yield warning("built-in-name", where, why, "choose another name")
    entry = providers.get(bare) if isinstance(providers, dict) else None
    if isinstance(entry, dict) and entry.get("enabled") is False:
        why = "enabled: false does not disable a provider that is requested as custom:NAME"
        yield warning(
            "disabled-provider", s.layers.where(facts.PROVIDERS, bare, "enabled"), why, "remove the entry instead"
        )
    if s.requested == "auto":
        yield warning(
            "no-provider", where, "no provider is set: Hermes chooses one by the keys it finds", "set model.provider"
        )
    if s.runtime and s.runtime.plain and s.runtime.provider == "custom":
        why = "a plain custom provider does not read key_env, and CUSTOM_BASE_URL or an entry with the same URL can redirect it"
        yield warning(
            "plain-custom", where, why, "define the endpoint under providers: and set model.provider: custom:NAME"
        )


def _entries(s: RouteContext) -> Iterator[Hazard]:
    """Report entries with the same name, and entries whose spellings of the URL differ."""
    wanted = fold_name(s.requested).removeprefix(facts.CUSTOM_PREFIX)
    rivals: list[tuple[str | int, ...]] = []
    providers = s.layers.config.get(facts.PROVIDERS)
    for key, entry in providers.items() if isinstance(providers, dict) else ():
        names = {
            fold_name(n) for n in (key, entry.get("name") if isinstance(entry, dict) else None) if isinstance(n, str)
        }
        if wanted in names and isinstance(entry, dict):
            rivals.append((facts.PROVIDERS, str(key)))
            yield from _spellings(s, str(key), entry)
    listed = s.layers.config.get(facts.CUSTOM_PROVIDERS)
    for number, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and fold_name(entry["name"]) == wanted:
            rivals.append((facts.CUSTOM_PROVIDERS, number))
    chosen = s.runtime.entry if s.runtime else ()
    for path in rivals:
        if len(rivals) > 1 and path != chosen:
            why = f"a second entry with the name {wanted}: Hermes takes the URL from the first, and the key from either"
            yield error("second-entry", s.layers.where(*path), why, "remove it")
    if isinstance(listed, dict):
        yield error(
            "custom-providers-mapping",
            s.layers.where(facts.CUSTOM_PROVIDERS),
            "Hermes ignores it: it is not a list",
            "write it as a list",
        )


def _spellings(s: RouteContext, key: str, entry: dict[Any, Any]) -> Iterator[Hazard]:
    urls = {k: str(entry[k]).strip().rstrip("/") for k in facts.URL_KEYS if entry.get(k)}
    if len(set(urls.values())) > 1:
        winner = next(k for k in facts.URL_KEYS if k in urls)
        why = f"the entry sets several URLs: {winner} wins ({' before '.join(urls)})"
        yield error("url-precedence", s.layers.where(facts.PROVIDERS, key, winner), why, "keep one of them")
    for name in facts.KEY_ENV_ALIASES:
        if entry.get(name) and not entry.get(facts.KEY_ENV):
            yield error(
                "key-env-alias",
                s.layers.where(facts.PROVIDERS, key, name),
                "Hermes does not read this spelling here",
                "write key_env",
            )
    if entry.get(facts.API_MODE) and entry.get(facts.TRANSPORT) and entry[facts.API_MODE] != entry[facts.TRANSPORT]:
        why = "api_mode and transport differ: api_mode wins"
        yield warning("mode-precedence", s.layers.where(facts.PROVIDERS, key, facts.TRANSPORT), why, "keep one of them")


def _key(s: RouteContext) -> Iterator[Hazard]:
    runtime = s.runtime
    if runtime is None:
        return
    where = s.layers.where(*runtime.entry) if runtime.entry else s.layers.where("model")
    if not s.key:
        why = f"Hermes finds no key and sends {facts.NO_KEY!r} instead, without a warning"
        yield error("no-key", where, why, f"set the entry's key_env in {s.home.where(facts.ENV_NAME)}")
    elif unresolved(s.key):
        why = f"${{{unresolved(s.key)[0]}}} is not set: Hermes sends this text itself as the key"
        yield error("unresolved-reference", where, why, "set the variable, or use key_env")
    elif is_placeholder(s.key):
        yield error(
            "placeholder-key", runtime.key_source, "Hermes sends a placeholder as the key", "set the real key there"
        )
    if runtime.pool and runtime.pool.manual:
        why = f"Hermes uses a key from `hermes auth add` ({runtime.pool.pool}) before key_env"
        yield error(
            "pool-key", f"{s.home.where('auth.json')} credential_pool.{runtime.pool.pool}", why, "remove that entry"
        )
    elif runtime.pool or runtime.key_source.endswith(".api_key") or runtime.key_source == "model.api":
        source = s.layers.where(
            *(int(p) if p.isdigit() else p for p in runtime.key_source.replace("[", ".").replace("]", "").split("."))
        )
        why = (
            "Hermes uses a key in clear in the configuration before key_env"
            if runtime.pool
            else "the key is stored in clear here"
        )
        yield error("inline-key", source, why, "move the key to .env and remove this line")


def _url(s: RouteContext) -> Iterator[Hazard]:
    runtime = s.runtime
    if runtime is None:
        return
    where = s.layers.where(*runtime.entry) if runtime.entry else runtime.url_source
    if names := unresolved(runtime.base_url):
        yield error("unresolved-reference", where, f"invalid URL: ${{{names[0]}}} is not set", "write the URL itself")
        return
    try:
        parts = urlsplit(runtime.base_url)
        userinfo = parts.username or parts.password
    except ValueError:
        return
    if target := looks_like(hostname(runtime.base_url)):
        why = f"the host {sent_host(runtime.base_url)} is not {target}, but looks like it"
        yield error("lookalike-host", where, why, "write the host in plain letters, and replace the key")
    if userinfo:
        yield error(
            "url-userinfo", where, "Hermes sends the name and password in the URL in place of the key", "remove them"
        )
    if parts.query:
        yield warning(
            "url-query", where, "Messages mode breaks a URL with a query, and queries are logged", "remove the query"
        )
    if parts.scheme == "http" and not is_loopback(runtime.base_url):
        yield error("plain-http", where, "the key travels unencrypted", "use https://")


def _mode(s: RouteContext) -> Iterator[Hazard]:
    entry = _entry_of(s)
    for name, value, path in (
        *(
            (k, entry.get(k), (*s.runtime.entry, k))
            for k in (facts.API_MODE, facts.TRANSPORT)
            if s.runtime and s.runtime.entry
        ),
        (
            facts.API_MODE,
            s.asked.setting(facts.API_MODE) if not (s.runtime and s.runtime.entry) else "",
            ("model", facts.API_MODE),
        ),
    ):
        if value and not parse_mode(value):
            why = f"invalid {name}: Hermes silently uses chat completions"
            yield error(
                "invalid-mode",
                s.layers.where(*path),
                why,
                "set chat_completions, codex_responses or anthropic_messages",
            )
    runtime = s.runtime
    wanted = parse_mode(s.asked.setting(facts.API_MODE))
    if runtime and runtime.plain and runtime.provider == "custom" and wanted == "codex_responses" != runtime.mode:
        why = "a plain custom provider ignores codex_responses and silently uses chat completions"
        yield error(
            "responses-ignored", s.layers.where("model", facts.API_MODE), why, "define the endpoint under providers:"
        )


def _request(s: RouteContext) -> Iterator[Hazard]:
    """Report settings that change requests to the endpoint: headers, body, TLS."""
    for name in ("default_headers", facts.EXTRA_HEADERS):
        headers = s.asked.model.get(name)
        yield from _headers(s, headers, s.layers.where("model", name))
    for entry, path in compatible_entries(s.layers.config):
        if not (s.base_url and same_url(entry[facts.BASE_URL], s.base_url)):
            continue
        yield from _headers(s, entry.get(facts.EXTRA_HEADERS), s.layers.where(*path, facts.EXTRA_HEADERS))
        if isinstance(body := entry.get(facts.EXTRA_BODY), dict) and "model" in body:
            why = "extra_body replaces the model of every request"
            yield error("extra-body-model", s.layers.where(*path, facts.EXTRA_BODY, "model"), why, "remove it")
        if str(entry.get(facts.SSL_VERIFY, "")).strip().lower() in {"false", "0", "no", "off"}:
            why = "certificates are not verified: an attacker on the network can read the key"
            yield error("tls-off", s.layers.where(*path, facts.SSL_VERIFY), why, "remove it")
        if entry.get(facts.SSL_CA_CERT):
            why = "this replaces the certificates that Hermes trusts"
            yield note(
                "tls-trust",
                s.layers.where(*path, facts.SSL_CA_CERT),
                why,
                "check that it contains only your own authority",
            )


def _headers(s: RouteContext, headers: object, where: str) -> Iterator[Hazard]:
    for name in headers if isinstance(headers, dict) else ():
        if str(name).lower() in facts.KEY_HEADERS:
            why = f"the header {str(name).lower()} is sent with every request, beside or instead of the key"
            yield error("extra-header-key", f"{where}.{str(name).lower()}", why, "remove it; store the key in .env")


def _context(s: RouteContext) -> Iterator[Hazard]:
    length = s.asked.model.get(facts.CONTEXT_LENGTH)
    try:
        number = int(length) if length is not None else None
    except (TypeError, ValueError):
        why = "not a whole number: Hermes ignores it and detects the length itself"
        yield warning("context-length", s.layers.where("model", facts.CONTEXT_LENGTH), why, "write a whole number")
        return
    if number is not None and 0 < number < facts.MIN_CONTEXT_LENGTH:
        why = f"Hermes refuses to start below {facts.MIN_CONTEXT_LENGTH}"
        yield error("context-length", s.layers.where("model", facts.CONTEXT_LENGTH), why, "increase it, or remove it")


def _entry_of(s: RouteContext) -> dict[Any, Any]:
    node: Any = s.layers.config
    for step in s.runtime.entry if s.runtime else ():
        node = node.get(step, {}) if isinstance(node, dict) else node[int(step)]
    return node if isinstance(node, dict) and s.runtime and s.runtime.entry else {}


def mismatches(
    s: RouteContext, *, model: str, mode: str, fingerprint: str | None, source: str = ""
) -> Iterator[Hazard]:
    """Yield a hazard for each difference from the expected route. `source` is where the key that is sent comes from."""
    if s.expected is None or s.runtime is None:
        return
    want = s.expected
    entry = (facts.PROVIDERS, want.provider)
    if fold_name(s.requested).removeprefix(facts.CUSTOM_PREFIX) != fold_name(want.provider):
        yield _mismatch(s, "provider", "the provider is not the provisioned one", "model", "provider")
    if not same_url(s.base_url, want.base_url):
        why = f"requests go to {hostname(s.base_url) or 'no host'}, not to the provisioned URL"
        yield _mismatch(s, "url", why, *entry, facts.BASE_URL)
    if model != want.model:
        yield _mismatch(s, "model", "the model is not the provisioned one", "model", "default")
    if want.api_mode not in {mode, "auto"}:
        yield _mismatch(s, "mode", f"the API mode is {mode}, not {want.api_mode}", *entry, facts.API_MODE)
    if want.key_fingerprint and fingerprint and fingerprint != want.key_fingerprint:
        why = "the key is not the provisioned one"
        where = source or s.runtime.key_source
        header = "_headers." in where
        yield error("wrong-key", where, why, "remove that header" if header else "install the bundle again")


def _mismatch(s: RouteContext, what: str, why: str, *path: str) -> Hazard:
    """Report a setting, and the remediation: an install into the home does not help against the managed scope."""
    if s.expected and not s.expected.managed and s.layers.is_managed(*path):
        return error(f"wrong-{what}", s.layers.where(*path), f"{why}: {_OUTRANKED}", _LEAVE_SCOPE)
    return error(f"wrong-{what}", s.layers.user_path, why, "install the bundle again")
