"""Hazards of the environment: `.env` lines and variables of the process that move the route, and files that do not load."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from provision.hermes.facts.v0_19 import (
    CONFIG_NAME,
    ENV_NAME,
    HIJACKING_ENV,
    MODEL_ENV_ELSEWHERE,
    PROXY_ENV,
    SECRET_SOURCES,
    TRUST_ENV,
)
from provision.hermes.routing.hazards import Hazard, RouteContext, error, note, warning
from provision.hermes.routing.wire import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

_FALSE = {"false", "0", "no", "off"}
_TRUE = {"true", "1", "yes", "on"}


def environment_hazards(s: RouteContext) -> Iterator[Hazard]:
    """All hazards of the environment, in the order of `docs/hermes.md`."""
    yield from _redirects(s)
    yield from _proxies_and_trust(s)
    yield from _elsewhere(s)
    yield from _env_file(s)
    yield from _secret_sources(s)


def _redirects(s: RouteContext) -> Iterator[Hazard]:
    environment = s.environment
    if environment.get("CUSTOM_BASE_URL"):
        make = error if s.runtime is None or s.runtime.plain else warning
        yield make(
            "custom-base-url",
            environment.place("CUSTOM_BASE_URL"),
            "CUSTOM_BASE_URL beats model.base_url of the plain custom provider, and the key goes there too",
            "remove the line (in managed scope: set it empty)",
        )
    if environment.get("HERMES_INFERENCE_MODEL"):
        yield error(
            "inference-model",
            environment.place("HERMES_INFERENCE_MODEL"),
            "HERMES_INFERENCE_MODEL replaces the configured model; an alias or a vendor's name there replaces the provider too",
            "remove the line",
        )
    if environment.from_file("HERMES_MANAGED_DIR"):
        yield error(
            "managed-dir-moved",
            environment.place("HERMES_MANAGED_DIR"),
            "HERMES_MANAGED_DIR in .env makes Hermes ignore the machine's managed scope",
            "remove the line",
        )
    if environment.from_file("HERMES_HOME"):
        yield error(
            "home-moved",
            environment.place("HERMES_HOME"),
            "HERMES_HOME in .env makes Hermes read the configuration and .env of another folder",
            "remove the line",
        )
    if environment.get("HERMES_IGNORE_USER_CONFIG").lower() in _TRUE:
        yield error(
            "ignore-user-config",
            environment.place("HERMES_IGNORE_USER_CONFIG"),
            "`hermes chat` ignores config.yaml, although `hermes -z` does not",
            "remove the line",
        )


def _proxies_and_trust(s: RouteContext) -> Iterator[Hazard]:
    environment = s.environment
    if not (s.base_url and is_loopback(s.base_url)):
        for name in PROXY_ENV:
            if environment.get(name):
                make = warning if environment.from_file(name) else note
                yield make(
                    "proxy",
                    environment.place(name),
                    f"requests go through the proxy that {name} names",
                    "see that it is yours",
                )
    for name in TRUST_ENV:
        if environment.get(name):
            make = warning if environment.from_file(name) else note
            yield make(
                "tls-trust",
                environment.place(name),
                f"{name} replaces the certificates that Hermes trusts",
                "see that only your own authority is in it",
            )


def _elsewhere(s: RouteContext) -> Iterator[Hazard]:
    environment = s.environment
    for name in MODEL_ENV_ELSEWHERE:
        if environment.get(name):
            yield warning(
                "model-of-cron",
                environment.place(name),
                f"{name} replaces the model of scheduled jobs and of the terminal interface",
                "remove the line",
            )
    if environment.get("HERMES_REDACT_SECRETS").lower() in _FALSE:
        yield warning(
            "redaction-off",
            environment.place("HERMES_REDACT_SECRETS"),
            "Hermes writes secrets unmasked into logs and output",
            "remove the line",
        )
    if environment.get("HERMES_DUMP_REQUEST_STDOUT"):
        place = environment.place("HERMES_DUMP_REQUEST_STDOUT")
        yield warning("request-dump", place, "Hermes prints whole requests", "remove the line")
    scalars = [k for k, v in s.layers.config.items() if isinstance(v, str | int | float) and isinstance(k, str)]
    for name in scalars:
        if name in {*HIJACKING_ENV, *PROXY_ENV, *TRUST_ENV, *MODEL_ENV_ELSEWHERE} or name.endswith("_BASE_URL"):
            yield warning(
                "root-scalar",
                s.layers.where(name),
                "the gateway process of Hermes copies scalars at the top level of config.yaml into its environment",
                "remove the key",
            )


def _env_file(s: RouteContext) -> Iterator[Hazard]:
    bad = "\ufeff"
    for name in (n for n in s.environment.values if n.startswith(bad)):
        yield error(
            "bom",
            s.environment.place(name).removesuffix(f" {name}"),
            f"a byte order mark hides the first variable of this .env, {name.removeprefix(bad)!r}",
            "save the file as UTF-8 without byte order mark",
        )
    data = s.home.env
    if data is not None and data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        yield error("env-encoding", s.home.where(ENV_NAME), "Hermes cannot read UTF-32", "save the file as UTF-8")
    if s.environment.crash:
        yield error("env-crash", s.home.where(ENV_NAME), s.environment.crash, "write the file again, as plain UTF-8")
    for files in filter(None, (s.home, s.managed)):
        for name, reason in files.unreadable.items():
            yield error(
                "unreadable", files.where(name), f"cannot tell: {reason}", "make the file readable and look again"
            )


def enabled_secret_sources(s: RouteContext) -> dict[str, dict[object, object]]:
    """The secret sources switched on in the home's own config.yaml (managed scope has no say in them), by name."""
    secrets = s.layers.user.mapping.get("secrets")
    found = {}
    for name, settings in secrets.items() if isinstance(secrets, dict) else ():
        if isinstance(settings, dict) and settings.get("enabled") not in (None, False, "false", "no", "off", 0):
            found[str(name)] = settings
    return found


def secret_source_doubt(s: RouteContext) -> str | None:
    """Why a secret source makes the key impossible to tell offline, or None.

    A source without its access token does nothing; 1Password sets only the variables it maps; with `override_existing:
    false` a source leaves alone what is set.
    """
    names = {s.expected.key_env} if s.expected else set()
    if s.runtime and s.runtime.key_source.startswith("env:"):
        names.add(s.runtime.key_source.removeprefix("env:").partition(" ")[0])
    for path in [s.runtime.entry] if s.runtime else []:
        node: object = s.layers.config
        for step in path:
            node = node.get(step) if isinstance(node, dict) else node[step] if isinstance(node, list) else None  # type: ignore[index]
        if isinstance(node, dict) and isinstance(node.get("key_env"), str):
            names.add(node["key_env"].strip())
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
    path = s.home.where(CONFIG_NAME)
    for source in enabled_secret_sources(s):
        origin = "" if source in SECRET_SOURCES else ", which a plugin brings"
        yield warning(
            "secret-source",
            f"{path} secrets.{source}",
            f"the secret source {source}{origin} can replace keys and other variables after .env is read",
            "switch it off, or let it alone supply the key",
        )
