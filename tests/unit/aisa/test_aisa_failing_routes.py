"""Which model a failing one is compared with."""

from __future__ import annotations

from provision.aisa.answers import Listing
from provision.aisa.catalogue import Catalogue, CatalogueModel
from provision.aisa.failing_routes import RouteComparisons
from provision.aisa.model_kinds import ModelKind
from provision.fleet.desired import ApiMode

CHAT = ApiMode.CHAT_COMPLETIONS
ROOT, URL = "http://gw", "http://gw/v1"
TABLE = Catalogue(
    [CatalogueModel(name, ModelKind.TEXT, frozenset({CHAT})) for name in ("bad", "one", "two")], as_of="2026-01-01"
)


def test_a_model_that_worked_in_this_run_comes_first() -> None:
    routes = RouteComparisons()
    routes.works(ROOT, CHAT, "two")
    assert routes.candidate(ROOT, CHAT, "bad", TABLE, None) == "two"
    assert routes.candidate(ROOT, CHAT, "two", TABLE, None) == "bad", "a model is not compared with itself"
    assert routes.candidate("http://other", CHAT, "bad", TABLE, None) != "two", (
        "what works elsewhere proves nothing here"
    )


def test_else_a_listed_model_that_does_not_fail_itself() -> None:
    routes = RouteComparisons()
    routes.failing_route(ROOT, URL, "bad", CHAT)
    assert routes.candidate(ROOT, CHAT, "bad", TABLE, None) == "one"
    assert routes.candidate(ROOT, CHAT, "bad", TABLE, Listing({"bad": (), "two": ()})) == "two"
    assert routes.candidate(ROOT, CHAT, "bad", TABLE, Listing({"bad": ()})) is None


def test_failing_routes_are_listed_once_by_affected_users() -> None:
    routes = RouteComparisons()
    for model, users in (("one", 1), ("two", 3), ("one", 1)):
        routes.failing_route(ROOT, URL, model, CHAT).users += users
    assert [(route.model, route.users) for route in routes.failing()] == [("two", 3), ("one", 2)]
