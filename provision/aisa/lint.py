"""Check a profile's gateway settings offline: base URL against API mode, model against the catalogue.

The catalogue may be older than the gateway, so only certain mistakes are errors: an image, video or embedding model can never
be Hermes' model. An unknown id is a note, an unlisted mode a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.aisa.base_url import check_base_url
from provision.aisa.model_kinds import effective_mode
from provision.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from provision.aisa.catalogue import Catalogue, Classified
    from provision.errors import Place
    from provision.fleet.desired import ApiMode, EffectiveProfile


def check_gateway_settings(
    profile: EffectiveProfile, catalogue: Catalogue, hosts: Sequence[str], origin: Callable[[str], Place]
) -> Iterator[Problem]:
    """Yield all problems of one profile's gateway settings. `origin` returns the place that set a field."""
    for mistake in check_base_url(profile.base_url, profile.api_mode, hosts).mistakes:
        place = origin("api_mode" if mistake.rule == "base-url-v1-in-messages" else "base_url")
        yield Problem(mistake.rule, mistake.message, place, mistake.hint, mistake.severity)
    yield from check_model(profile.model, profile.api_mode, catalogue, origin("model"))
    for index, model in enumerate(profile.fallback_models):
        place = origin(f"fallback_models.{index}")
        yield from check_model(model, profile.api_mode, catalogue, place, what="fallback model")
        if model == profile.model or model in profile.fallback_models[:index]:
            text = f"fallback model {model} is the main model or listed twice"
            yield Problem("model-fallback-repeated", text, place, "use another model", Severity.WARNING)


def check_model(
    model_id: str, mode: ApiMode, catalogue: Catalogue, place: Place | None, *, what: str = "model"
) -> Iterator[Problem]:
    """Yield the problems of one model id in one mode."""
    found = catalogue.classify(model_id)
    if found.suitable is False:
        hint = _or(catalogue.nearest(model_id)) or "use a text, reasoning or coding model"
        text = f"{what} {model_id} is for {found.kind} (by its {_source(found)}): Hermes needs a text, reasoning or coding model"
        yield Problem("model-unsuitable", text, place, hint)
        return
    if not found.listed:
        yield _unlisted(model_id, catalogue, place, what)
        return
    if not found.current:
        text = f"{what} {model_id} is no longer in the catalogue of {catalogue.as_of}; the gateway may still serve it"
        yield Problem("model-outdated", text, place, _or(catalogue.nearest(model_id)), Severity.WARNING)
    yield from _check_mode(found, mode, catalogue, place, what)


def _unlisted(model_id: str, catalogue: Catalogue, place: Place | None, what: str) -> Problem:
    """A near miss of a listed id is a warning. Any other unknown id is a note: the live list is longer than the catalogue."""
    near = catalogue.near_miss(model_id)
    text = f"{what} {model_id} is not in the catalogue of {catalogue.as_of}; `provision validate` asks the gateway"
    if near and near.lower() == model_id.lower():
        text += f"; ids are case-sensitive, and {near} is listed"
    elif "/" in model_id:
        text += "; AIsa's model ids have no vendor prefix"
    elif near and len(model_id) > len(near) + 2 and near.lower() in model_id.lower():
        text += f"; AIsa's model ids have no prefix or tag, and {near} is listed"
    elif " " in model_id:
        text += "; this looks like a display name, not an id"
    elif near:
        text += f"; it is probably a misspelling of {near}"
    nearest = dict.fromkeys([*([near] if near else ()), *catalogue.nearest(model_id)])
    severity = Severity.WARNING if near else Severity.NOTE
    return Problem("model-unknown", text, place, _or(list(nearest)[:3]), severity)


def _check_mode(
    found: Classified, mode: ApiMode, catalogue: Catalogue, place: Place | None, what: str
) -> Iterator[Problem]:
    wanted = effective_mode(mode)
    if found.modes is None or wanted in found.modes:
        return
    if found.modes:
        names = " and ".join(sorted(found.modes))
        text = f"{what} {found.id} is not listed for {wanted}, only for {names} (catalogue of {catalogue.as_of})"
        yield Problem("model-mode", text, place, f"set api_mode to {_or(sorted(found.modes))}", Severity.WARNING)
    else:
        text = f"{what} {found.id} is not listed for any API mode of Hermes (catalogue of {catalogue.as_of})"
        yield Problem("model-mode", text, place, _or(catalogue.nearest(found.id)), Severity.WARNING)


def _source(found: Classified) -> str:
    return "name" if found.how == "name" else "catalogue entry"


def _or(names: Sequence[str]) -> str:
    return " or ".join(names)
