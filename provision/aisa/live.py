"""The catalogue against the live list: what is served now, what left, and a newer catalogue made of both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.aisa.answers import Listing, Probe
from provision.aisa.catalogue import CURRENT, Catalogue, Kind, Model
from provision.aisa.probes import request_for
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.aisa.answers import Answer
    from provision.aisa.client import Client
    from provision.detect.secret import Secret


async def ask_live(
    client: Client, root: str, keys: Iterable[Secret | None]
) -> tuple[Listing | None, tuple[Answer, ...]]:
    """The union of the lists that these keys get: a key's allow-list may hide models. None when nobody got a list."""
    models: dict[str, tuple[str, ...]] = {}
    answers = []
    heard = False
    for key in keys:
        answer = await client.ask(request_for(Probe.MODELS, root, "", ApiMode.AUTO), key)
        answers.append(answer)
        live = answer.listing() if answer.status == 200 else None
        if live is not None:
            heard = True
            models.update(live.models)
    return (Listing(models) if heard else None), tuple(answers)


def updated(catalogue: Catalogue, live: Listing, today: str) -> Catalogue:
    """A catalogue as of today: listed ids are current, others are kept and marked, new ones classified by what is known."""
    models: list[Model] = []
    for model in catalogue.models.values():
        if model.id in live.models:
            models.append(_listed(catalogue, model.id, live, model))
        else:
            status = f"not-in-live-list-{today}" if model.current else model.status
            models.append(replace(model, current=False, status=status))
    new = sorted(i for i in live.models if i not in catalogue.models)
    models += [_listed(catalogue, i, live, Model(i, Kind.UNKNOWN)) for i in new]
    return Catalogue(
        models, as_of=today, source=f"the gateway's live list, on top of the catalogue of {catalogue.as_of}"
    )


def _listed(catalogue: Catalogue, model_id: str, live: Listing, entry: Model) -> Model:
    found = catalogue.classify(model_id, live.models[model_id])
    return replace(entry, kind=found.kind, modes=found.modes, current=True, status=CURRENT)
