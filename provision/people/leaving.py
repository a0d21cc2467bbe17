"""A user leaves: one idempotent act, with a proof for each of its steps.

A step looks for its proof first, acts if there is none, and looks again. So the act can be killed at any time and repeated, and
what it says is what was seen: no bundle in dist/, no entry in the feed's index, a 401 for each key while the gateway accepts
another one, the answer of the machine. A step that cannot be proved (a machine that is out of reach) is accepted by the operator
in words, which go into the event log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from provision.bundle.dist import Dist
from provision.bundle.render import opened_dist
from provision.errors import ProvisionError
from provision.files import read_optional
from provision.fleet.desired import machine_label
from provision.keys.events.log import log_path, read_events
from provision.keys.vault.ledger import Stage
from provision.people.leaver_access import opened_users, operator_names
from provision.people.rejoining import REJOINED
from provision.receipts.receipt import MAX_RECEIPT_BYTES, NAMESPACE, parse_receipt, says_uninstalled
from provision.receipts.store import LEFT_FOLDER, RECEIPTS_FOLDER, SUFFIX, ReceiptStore, key_blob
from provision.rotate.model import Blocker
from provision.rotate.probes import KeyLiveness, probe_all
from provision.rotate.store import busy_with
from provision.shell import shell_word
from provision.signing.signed_text import max_signed_bytes, verify_text
from provision.trust.workspace import workspace_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from provision.detect.secret import Secret
    from provision.fleet.desired import Machine
    from provision.fleet.users import FormerUser
    from provision.keys.vault.ledger import KeyVersion
    from provision.rotate.context import RotationContext
    from provision.rotate.probes import KeyProber

LEFT, UNINSTALLED, ACCEPTED = "user left", "machine uninstalled", "leaving accepted"


@dataclass(frozen=True, slots=True)
class LeavingStep:
    """One step: whether it is proved, by what, and else what to do."""

    name: str
    proved: bool
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Leaving:
    """How to take everything from a user. `acting` False only looks.

    `feed` withdraws a user from the published feed and says whether nothing of them is in it; None: no feed was named.
    `has_feed` says whether this workspace ever published. `uninstall` asks a machine and returns what came of it. `order` gives
    the order to uninstall that the feed carries to a user's machines, once, and says so; empty if it is none.
    """

    context: RotationContext
    acting: bool
    reason: str
    has_feed: bool
    feed: Callable[[str], str] | None
    uninstall: Callable[[FormerUser, Machine], tuple[bool, str]] | None
    accepted: Mapping[str, str]
    order: Callable[[str], str] | None = None

    def machines(self, former: FormerUser) -> list[LeavingStep]:
        """Ask the machines of a user, and give the order for those that do not answer.

        For all users first: then one publish carries all orders.
        """
        found = list(self._machines(former))
        ordered = self.order(former.user) if self.order is not None and not all(m.proved for m in found) else ""
        return [step if step.proved or not ordered else replace(step, what=f"{step.what}; {ordered}") for step in found]

    def steps(self, former: FormerUser, machines: Sequence[LeavingStep]) -> Iterator[LeavingStep]:
        """Take the other steps for one user; yields each when it was looked at. `machines`: what `machines` found."""
        user = former.user
        stays = user in self.context.states
        yield LeavingStep("inventory", True, "would be marked as left today" if stays else f"left on {former.left}")
        yield self._recorded(former)
        yield self._rotation(user)
        yield self._bundle(user)
        yield self._shared(former)
        yield self._operator(former)
        yield self._feed(former)  # carries the order
        yield from self._keys(former)
        yield from machines
        yield self._receipts(user)

    def _events(self, former: FormerUser) -> list[tuple[str, Mapping[str, object]]]:
        """What the log says about this leaving. What was proved when the same user left before proves nothing now."""
        path = log_path(self.context.workspace.vault)
        if not path.exists():
            return []
        since = date.fromisoformat(former.left) - timedelta(days=1)  # `left` may have been written in another time zone
        found: list[tuple[str, Mapping[str, object]]] = []
        for event in (recorded.event for recorded in read_events(path)):
            if event.user == former.user and event.what == REJOINED:
                found.clear()
            elif event.user == former.user and event.at.date() >= since:
                found.append((event.what, event.detail))
        return found

    def _accept(self, former: FormerUser, step: str) -> str:
        """Why the operator accepts a step without a proof: given now, or before; empty if not."""
        user = former.user
        for what, detail in self._events(former):
            if what == ACCEPTED and detail.get("step") == step:
                return str(detail.get("why"))
        why = self.accepted.get(step, "")
        if why and self.acting:
            self.context.record([(ACCEPTED, user, "", {"step": step, "why": why})])
        return why

    def _recorded(self, former: FormerUser) -> LeavingStep:
        user = former.user
        if not any(what == LEFT for what, _ in self._events(former)):
            if not self.acting:
                return LeavingStep("record", False, "not in the event log yet")
            self.context.record([(LEFT, user, "", {"reason": self.reason} if self.reason else {})])
        return LeavingStep("record", True, "in the event log: provision keys log")

    def _rotation(self, user: str) -> LeavingStep:
        name = busy_with(list(self.context.store.unfinished())).get(user)
        if name is None:
            return LeavingStep("rotation", True, "in no rotation")
        hint = f"provision rotate finish {name} --except '{user}=left'"
        return LeavingStep("rotation", False, f"in rotation {name}", hint)

    def _bundle(self, user: str) -> LeavingStep:
        root = self.context.workspace.dist
        if not (root / user).exists():
            return LeavingStep("bundle", True, "no bundle in dist/")
        if self.acting:
            try:
                with opened_dist(root) as dist:
                    dist.prune(user)
            except (ProvisionError, OSError) as e:
                return LeavingStep("bundle", False, f"cannot remove the bundle: {e}", f"remove dist/{user} by hand")
        gone = not Dist(root, None).read(user)
        return LeavingStep("bundle", gone, "no bundle in dist/" if gone else "a bundle is in dist/")

    def _shared(self, former: FormerUser) -> LeavingStep:
        others = opened_users(former, self.context.states.values())
        if not others:
            return LeavingStep("shared", True, "no bundle of another user is sealed to their machines")
        names = ", ".join(others)
        hint = f"take that recipient out of the entries of {names}, then render, and replace their keys: they were readable"
        return LeavingStep("shared", False, f"a machine of theirs opens the bundles of {names}", hint)

    def _operator(self, former: FormerUser) -> LeavingStep:
        workspace, vault = self.context.workspace, self.context.vault
        trusted = workspace_trust(workspace, vault.workspace_id, self.context.clock(), remember=False)
        names = operator_names(former, vault.operators, trusted.signers)
        if not names:
            return LeavingStep("operator", True, "no operator or signer by these keys or this name")
        act = "provision operators remove" if trusted.trust is None else "provision operators revoke"
        hint = f"{act} {shell_word(names[0])}; then replace the keys of all users: they were readable"
        return LeavingStep("operator", False, f"opens the vault or signs as {', '.join(names)}", hint)

    def _feed(self, former: FormerUser) -> LeavingStep:
        user = former.user
        if not self.has_feed:
            return LeavingStep("feed", True, "this workspace has no feed")
        if self.feed is None:
            why = self._accept(former, "feed")
            hint = f"name the published folder: provision users leave {user} --feed DIR"
            return LeavingStep("feed", bool(why), f"accepted: {why}" if why else "not looked at", "" if why else hint)
        left = self.feed(user)
        return LeavingStep("feed", not left, left or "no entry in the index, no bundle in the tree")

    def _keys(self, former: FormerUser) -> Iterator[LeavingStep]:
        context, user = self.context, former.user
        alive = [known for known in context.vault.versions(user) if known.stage is not Stage.RETIRED]
        if not alive:
            yield self._no_keys(former)
            return
        found: dict[int, KeyLiveness | Blocker] = {}

        async def ask(prober: KeyProber, known: KeyVersion) -> KeyLiveness | Blocker:
            route, beside = context.route(user), self._other_key(user)
            if isinstance(route, Blocker):
                return route
            return await prober.check_liveness(route, context.vault.value(user, known.version), beside)

        probe_all(alive, ask, lambda known, result: found.__setitem__(known.version, result), context.gateway)
        for known in alive:
            yield self._key(user, known, found.get(known.version))

    def _no_keys(self, former: FormerUser) -> LeavingStep:
        user = former.user
        if self.context.vault.versions(user):
            return LeavingStep("key", True, "all keys are retired: the gateway refused them")
        if not self.context.workspace.settings.key_command:
            return LeavingStep("key", True, "never had a key in the vault")
        why = self._accept(former, "key")
        hint = f"revoke the key where key_command takes it from, then: provision users leave {user} --accept 'key=WHY'"
        return LeavingStep(
            "key", bool(why), f"accepted: {why}" if why else "the key is not in the vault", "" if why else hint
        )

    def _other_key(self, user: str) -> Secret | None:
        """The key of another user: while the gateway accepts it, a 401 means the key, not the gateway."""
        vault = self.context.vault
        for other in self.context.states:
            if other != user and (known := vault.current(other)) is not None:
                return vault.value(other, known.version)
        return None

    def _key(self, user: str, known: KeyVersion, found: KeyLiveness | Blocker | None) -> LeavingStep:
        vault = self.context.vault
        name = f"key {known.label or known.fingerprint} (…{vault.value(user, known.version).last_four})"
        others = sorted({each.user for each in vault.find(known.fingerprint)} - {user})
        if others:
            hint = f"rotate the keys of {', '.join(others)}, then run this again"
            return LeavingStep("key", False, f"{name} is also the key of {', '.join(others)}", hint)
        if isinstance(found, KeyLiveness) and found.dead:
            if self.acting:
                with self.context.editing("users leave") as changed:
                    changed.set_stage(user, known.version, Stage.RETIRED)
                self.context.record([("old key proved dead", user, known.fingerprint, {"by": "users leave"})])
            return LeavingStep("key", True, f"{name}: the gateway answers 401")
        doubt = found if isinstance(found, Blocker) else found.trouble if found is not None else None
        if doubt is not None or found is None:
            text = doubt.message if doubt is not None else "the gateway does not answer"
            hint = f"when the gateway can be reached: provision users leave {user}"
            said = text if text.startswith("unknown") else f"unknown: {text}"
            return LeavingStep("key", False, f"{name}: {said}", hint)
        return LeavingStep(
            "key", False, f"{name} still works", f"revoke it in the console, then: provision users leave {user}"
        )

    def _machines(self, former: FormerUser) -> Iterator[LeavingStep]:
        enrolled = [machine for machine in former.machines if machine.recipients or machine.endpoint_key]
        if not enrolled:
            yield LeavingStep("machine", True, "no machine was enrolled")
        for machine in enrolled:
            label = machine_label(former.user, machine.name)
            done = [detail for what, detail in self._events(former) if what == UNINSTALLED]
            if any(detail.get("machine") == label for detail in done):
                yield LeavingStep("machine", True, f"{label}: uninstalled")
                continue
            if made := self._signed(former, machine, label):
                yield LeavingStep("machine", True, f"{label}: uninstalled, its signed receipt of {made} says so")
                continue
            why = self._accept(former, label)
            if why:
                yield LeavingStep("machine", True, f"{label}: accepted: {why}")
                continue
            yield self._ask(former, machine, label)

    def _signed(self, former: FormerUser, machine: Machine, label: str) -> str:
        """When the machine signed, after its user left, that it uninstalled; empty if not. It is verified again."""
        store = ReceiptStore(self.context.workspace.root / RECEIPTS_FOLDER)
        data = read_optional(store.left_path(label), max_signed_bytes(MAX_RECEIPT_BYTES))
        if data is None:
            return ""
        try:
            text, blob = verify_text(data, NAMESPACE)
            receipt = parse_receipt(text)
        except ProvisionError:
            return ""
        is_theirs = blob == key_blob(machine.endpoint_key) and receipt.user == former.user
        late = receipt.made[:10] >= former.left  # a receipt of an earlier time here proves nothing now
        return receipt.made if is_theirs and late and says_uninstalled(receipt) else ""

    def _ask(self, former: FormerUser, machine: Machine, label: str) -> LeavingStep:
        wanted = shell_word(f"{label}=WHY")
        accept = f"provision users leave {former.user} --accept {wanted}"
        said = f"not heard of since {former.left}"
        if self.uninstall is not None and machine.host is not None and self.acting:
            done, said = self.uninstall(former, machine)
            if done:
                self.context.record([(UNINSTALLED, former.user, "", {"machine": label})])
                return LeavingStep("machine", True, f"{label}: {said}")
        reach = f"provision users leave {former.user} --deploy" if machine.host else "run `provision uninstall` there"
        return LeavingStep("machine", False, f"{label}: {said}", f"{reach}; or, if it is out of reach: {accept}")

    def _receipts(self, user: str) -> LeavingStep:
        folder = self.context.workspace.root / RECEIPTS_FOLDER
        files = list(_receipts_of(folder, user))
        if self.acting:
            for path in files:
                (folder / LEFT_FOLDER).mkdir(exist_ok=True)
                path.replace(folder / LEFT_FOLDER / path.name)
            files = list(_receipts_of(folder, user))
        if files:
            return LeavingStep("receipts", False, f"{len(files)} in receipts/")
        kept = any(_receipts_of(folder / LEFT_FOLDER, user))
        return LeavingStep("receipts", True, f"put away in receipts/{LEFT_FOLDER}/" if kept else "none in receipts/")


def _receipts_of(folder: Path, user: str) -> Iterable[Path]:
    yield from (path for path in (folder / f"{user}{SUFFIX}",) if path.exists())
    yield from (path for path in folder.glob(f"*@*{SUFFIX}") if path.name.partition("@")[0] == user)


REMAINS = (
    "old versions of dist/ in git and copies of the feed still open with their identity; their keys are dead, but known",
    "copies of the key outside of Hermes (other machines, notes) are useless once the gateway refuses it",
)
"""What leaving cannot take back."""
