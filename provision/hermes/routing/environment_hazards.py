"""Hazards of the environment: `.env` lines and process variables that change the route, and files that do not load."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from provision.hermes.facts import names as facts
from provision.hermes.facts.newer_env import (
    CONFIG_BACKEND_ENV,
    DATA_DIR_SUFFIX_ENV,
    FILE_BACKEND,
    NEWER_DECIDING_ENV,
)
from provision.hermes.routing.hazards import Hazard, RouteContext, error, note, warning
from provision.hermes.routing.wire import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.environment import Environment

UNREADABLE = "unreadable"
"""The hazard of a file that exists and could not be read: nothing is known of what it sets."""
_FALSE = {"false", "0", "no", "off"}
_TRUE = {"true", "1", "yes", "on"}


def environment_hazards(s: RouteContext) -> Iterator[Hazard]:
    """Yield all hazards of the environment, in the order of `docs/hermes.md`."""
    yield from _newer(s)
    yield from _redirects(s)
    yield from _proxies_and_trust(s)
    yield from _elsewhere(s)
    yield from _env_file(s)
    yield from _secret_sources(s)


def deciding_variables(environment: Environment) -> tuple[str, ...]:
    """Return the variables that are set and make a newer release ignore this home's files; on which release is not considered."""
    names = []
    backend = environment.get(CONFIG_BACKEND_ENV).lower()
    if backend not in {"", FILE_BACKEND}:
        names.append(CONFIG_BACKEND_ENV)
    if environment.get(DATA_DIR_SUFFIX_ENV) and not environment.get(facts.HOME_ENV):
        names.append(DATA_DIR_SUFFIX_ENV)
    return tuple(names)


def _newer(s: RouteContext) -> Iterator[Hazard]:
    """Report variables of newer releases, on every release: a machine may be updated at any time."""
    hermes = s.environment.hermes
    for name in deciding_variables(s.environment):
        effect = NEWER_DECIDING_ENV[name]
        if name in hermes.deciding_env:
            make, why = error, f"{name}: {effect}"
        else:
            make, why = warning, f"not read by {hermes.version}, decides on newer ones: {effect}"
        yield make(
            "newer-setting-decides", s.environment.place(name), why, f"remove {name}, unless it is set on purpose"
        )


def _redirects(s: RouteContext) -> Iterator[Hazard]:
    environment = s.environment
    if environment.get(facts.CUSTOM_BASE_URL_ENV):
        make = error if s.runtime is None or s.runtime.plain else warning
        yield make(
            "custom-base-url",
            environment.place(facts.CUSTOM_BASE_URL_ENV),
            "CUSTOM_BASE_URL replaces model.base_url of the plain custom provider, and the key goes there too",
            "remove the line (in the managed scope: set it empty)",
        )
    if environment.get(facts.INFERENCE_MODEL_ENV):
        yield error(
            "inference-model",
            environment.place(facts.INFERENCE_MODEL_ENV),
            "HERMES_INFERENCE_MODEL replaces the configured model; an alias or a vendor's name in it replaces the provider too",
            "remove the line",
        )
    if environment.from_file(facts.MANAGED_DIR_ENV):
        yield error(
            "managed-dir-moved",
            environment.place(facts.MANAGED_DIR_ENV),
            "HERMES_MANAGED_DIR in .env makes Hermes ignore the machine's managed scope",
            "remove the line",
        )
    if environment.from_file(facts.HOME_ENV):
        yield error(
            "home-moved",
            environment.place(facts.HOME_ENV),
            "HERMES_HOME in .env makes Hermes read config.yaml and .env from another folder",
            "remove the line",
        )
    if environment.get(facts.IGNORE_CONFIG_ENV).lower() in _TRUE:
        yield error(
            "ignore-user-config",
            environment.place(facts.IGNORE_CONFIG_ENV),
            "`hermes chat` ignores config.yaml (`hermes -z` does not)",
            "remove the line",
        )


def _proxies_and_trust(s: RouteContext) -> Iterator[Hazard]:
    environment = s.environment
    if not (s.base_url and is_loopback(s.base_url)):
        for name in facts.PROXY_ENV:
            if environment.get(name):
                make = warning if environment.from_file(name) else note
                yield make(
                    "proxy",
                    environment.place(name),
                    f"requests go through the proxy in {name}",
                    "check that the proxy is yours",
                )
    for name in facts.TRUST_ENV:
        if environment.get(name):
            make = warning if environment.from_file(name) else note
            yield make(
                "tls-trust",
                environment.place(name),
                f"{name} replaces the certificates that Hermes trusts",
                "check that it contains only your own authority",
            )


def _elsewhere(s: RouteContext) -> Iterator[Hazard]:
    environment = s.environment
    for name in facts.MODEL_ENV_ELSEWHERE:
        if environment.get(name):
            yield warning(
                "model-of-cron",
                environment.place(name),
                f"{name} replaces the model of scheduled jobs and of the terminal interface",
                "remove the line",
            )
    if environment.get(facts.REDACT_SECRETS_ENV).lower() in _FALSE:
        yield warning(
            "redaction-off",
            environment.place(facts.REDACT_SECRETS_ENV),
            "Hermes writes secrets unmasked into logs and output",
            "remove the line",
        )
    if environment.get(facts.DUMP_REQUESTS_ENV):
        place = environment.place(facts.DUMP_REQUESTS_ENV)
        yield warning("request-dump", place, "Hermes prints whole requests", "remove the line")
    scalars = [k for k, v in s.layers.config.items() if isinstance(v, str | int | float) and isinstance(k, str)]
    for name in scalars:
        if name in {
            *facts.HIJACKING_ENV,
            *facts.PROXY_ENV,
            *facts.TRUST_ENV,
            *facts.MODEL_ENV_ELSEWHERE,
        } or name.endswith("_BASE_URL"):
            yield warning(
                "root-scalar",
                s.layers.where(name),
                "Hermes' gateway process copies top-level scalars of config.yaml into its environment",
                "remove the key",
            )


def _env_file(s: RouteContext) -> Iterator[Hazard]:
    bad = "\ufeff"
    for name in (n for n in s.environment.values if n.startswith(bad)):
        yield error(
            "bom",
            s.environment.place(name).removesuffix(f" {name}"),
            f"a byte order mark hides the first variable of this .env, {name.removeprefix(bad)!r}",
            "save the file as UTF-8 without a byte order mark",
        )
    data = s.home.env
    if data is not None and data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        yield error("env-encoding", s.home.where(facts.ENV_NAME), "Hermes cannot read UTF-32", "save the file as UTF-8")
    if s.environment.crash:
        yield error("env-crash", s.home.where(facts.ENV_NAME), s.environment.crash, "save the file as plain UTF-8")
    for files in filter(None, (s.home, s.managed)):
        for name, reason in files.unreadable.items():
            yield error(
                UNREADABLE, files.where(name), f"not read: {reason}", "make the file readable and run this again"
            )


def enabled_secret_sources(s: RouteContext) -> dict[str, dict[object, object]]:
    """Return the secret sources enabled in the home's config.yaml, by name. The managed scope does not affect them."""
    secrets = s.layers.user.mapping.get("secrets")
    found = {}
    for name, settings in secrets.items() if isinstance(secrets, dict) else ():
        if isinstance(settings, dict) and settings.get("enabled") not in (None, False, "false", "no", "off", 0):
            found[str(name)] = settings
    return found


def secret_source_doubt(s: RouteContext) -> str | None:
    """Return why a secret source makes the key unknown offline, or None.

    A source without its access token does nothing. 1Password sets only the variables that it maps. With
    `override_existing: false` a source does not change variables that are set.
    """
    names = {s.expected.key_env} if s.expected else set()
    if s.runtime and s.runtime.key_source.startswith("env:"):
        names.add(s.runtime.key_source.removeprefix("env:").partition(" ")[0])
    for path in [s.runtime.entry] if s.runtime else []:
        node: object = s.layers.config
        for step in path:
            node = node.get(step) if isinstance(node, dict) else node[step] if isinstance(node, list) else None  # type: ignore[index]
        if isinstance(node, dict) and isinstance(node.get(facts.KEY_ENV), str):
            names.add(node[facts.KEY_ENV].strip())
    for source, settings in enabled_secret_sources(s).items():
        token = settings.get("access_token_env") or "BWS_ACCESS_TOKEN"
        if source == "bitwarden" and isinstance(token, str) and not s.environment.get(token):
            continue
        mapped = settings.get("env")
        if source == "onepassword" and isinstance(mapped, dict) and not names & set(map(str, mapped)):
            continue
        if settings.get("override_existing") is False and all(s.environment.get(n) for n in names):
            continue
        return f"the secret source {source} may supply the key when Hermes starts"
    return None


def _secret_sources(s: RouteContext) -> Iterator[Hazard]:
    path = s.home.where(facts.CONFIG_NAME)
    for source in enabled_secret_sources(s):
        origin = "" if source in s.environment.hermes.secret_sources else ", from a plugin"
        yield warning(
            "secret-source",
            f"{path} secrets.{source}",
            f"the secret source {source}{origin} can replace keys and other variables after .env is read",
            "disable it, or use it as the only source of the key",
        )
