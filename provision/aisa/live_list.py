"""Fetch the live list of models, and update the catalogue from it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from provision.aisa.answers import Listing, Probe
from provision.aisa.catalogue import CURRENT, Catalogue, CatalogueModel
from provision.aisa.model_kinds import ModelKind
from provision.aisa.pages import read_on
from provision.aisa.probes import request_for
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.aisa.answers import GatewayAnswer
    from provision.aisa.client import Client, Request
    from provision.detect.secret import Secret


async def fetch_live_list(
    client: Client, root: str, keys: Iterable[Secret | None]
) -> tuple[Listing | None, tuple[GatewayAnswer, ...]]:
    """Fetch the union of the lists of these keys: a key's allow-list may hide models. None without any list."""
    models: dict[str, tuple[str, ...]] = {}
    answers = []
    received = cut = False
    for key in keys:
        send = partial(_send, client, key)
        request = request_for(Probe.MODELS, root, "", ApiMode.AUTO)
        answer = await read_on(send, request, await send(request), None)
        answers.append(answer)
        live = answer.listing() if answer.status == 200 else None
        if live is not None:
            received = True
            models.update(live.models)
            cut = cut or live.partial
    return (Listing(models, cut) if received else None), tuple(answers)


async def _send(client: Client, key: Secret | None, request: Request) -> GatewayAnswer:
    return await client.send(request, key)


def updated_catalogue(catalogue: Catalogue, live: Listing, today: str) -> Catalogue:
    """Return a catalogue as of today. Listed ids are current, other ids stay and are marked, new ids are classified.

    A partial list marks nothing: an id that it lacks may be on another page.
    """
    models: list[CatalogueModel] = []
    for model in catalogue.models.values():
        if model.id in live.models:
            models.append(_listed(catalogue, model.id, live, model))
        elif live.partial:
            models.append(model)
        else:
            status = f"not-in-live-list-{today}" if model.current else model.status
            models.append(replace(model, current=False, status=status))
    new = sorted(i for i in live.models if i not in catalogue.models)
    models += [_listed(catalogue, i, live, CatalogueModel(i, ModelKind.UNKNOWN)) for i in new]
    return Catalogue(
        models, as_of=today, source=f"the gateway's live list, on top of the catalogue of {catalogue.as_of}"
    )


def _listed(catalogue: Catalogue, model_id: str, live: Listing, entry: CatalogueModel) -> CatalogueModel:
    found = catalogue.classify(model_id, live.models[model_id])
    return replace(entry, kind=found.kind, modes=found.modes, current=True, status=CURRENT)
