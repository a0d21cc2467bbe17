"""Makes fleets out of texts, without a disk."""

from __future__ import annotations

from provision.errors import Place, Problem
from provision.fleet.explain import drop_consequences
from provision.fleet.inventory import read_inventory
from provision.fleet.profiles import EffectiveProfiles, Profiles, read_profile
from provision.fleet.recipients import RecipientsFile
from provision.fleet.users import Users

ALICE = "age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586"
BOB = "age1a2r6ucyrgu9dmta8qf8c6tegfchet48y6ffa2tu7kxzagj2x8p0s894elc"
GATEWAY = "https://api.aisa.one/v1"


def profiles(**texts: str) -> Profiles:
    """Profiles by name."""
    result = Profiles({}, base_url=(GATEWAY, Place("provision.toml")))
    for name, text in texts.items():
        layer, problems = read_profile(name, text.encode(), f"profiles/{name}.yaml")
        result.problems += problems
        if problems or layer is None:
            result.broken[name] = layer
        else:
            result.layers[name] = layer
    result.check_broken()
    return result


def users(
    text: str, file: str = "inventory.yaml", files: dict[str, RecipientsFile] | None = None, **texts: str
) -> Users:
    """The users of an inventory text; without profiles of your own there is `base`."""
    known = profiles(**(texts or {"base": "model: gpt-5.2\n"}))
    effective = EffectiveProfiles(GATEWAY)

    def recipients(name: str, at: Place) -> RecipientsFile | Problem:
        return (files or {}).get(name) or Problem("no-file", name, at)

    found = read_inventory(text.encode(), file, lambda: Users(file, known, effective, recipients))
    found.problems = [*known.problems, *drop_consequences(found.problems)]
    return found


def told(found: list[Problem]) -> list[tuple[str, str]]:
    """Rule and place of each problem."""
    return sorted((p.rule, str(p.place)) for p in found)
