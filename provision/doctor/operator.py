"""The operator's side: keys, trust list, recovery, vault, feed, git and programs of a workspace."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from provision.doctor.clock import clock_findings
from provision.doctor.git_state import git_findings, merge_findings
from provision.doctor.health import HealthFinding, failed, fine, skipped, warning
from provision.doctor.leftovers import (
    journal_finding,
    leftover_findings,
    lock_findings,
    private_findings,
    secret_file_findings,
)
from provision.doctor.online import server_findings
from provision.doctor.operator_keys import approval_problems, identity_problems, operator_problems
from provision.doctor.programs import program_findings
from provision.doctor.published import feed_file_findings, feed_trust_findings, order_findings
from provision.errors import Severity
from provision.feed.index import Index
from provision.feed.published_parts import published_parts
from provision.files import read_optional
from provision.fleet.config_folder import config_dir
from provision.fleet.load import load_fleet
from provision.keys.events.log import KnownEnd, LogEnd, log_mismatches, log_path, newest_events, verify_log
from provision.keys.feed_secret import FILE, secret_recipients
from provision.keys.recipients import parse_recipient
from provision.keys.vault.file import read_vault, read_workspace_id
from provision.signing.fields import parse_moment
from provision.signing.sshsig import load_signing_key
from provision.trust.trust_list import Role
from provision.trust.workspace import MayNotSignError, recovery_tested, workspace_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from provision.errors import Problem
    from provision.fleet.workspace import Workspace
    from provision.trust.workspace import WorkspaceTrust

_TEST_EVERY = timedelta(days=365)
_FEED_SOON = timedelta(days=2)
_COMMITTED = ("keys.vault", "feed.secret", "events.jsonl", "trust", "allowed_signers", "orders", "provision.toml")
_MERGED = (*_COMMITTED, "profiles", "templates", "rotations")


class OperatorHealth:
    """The checks of one workspace. `settings_problems` are those of its provision.toml, `feed` the published folder."""

    def __init__(
        self,
        workspace: Workspace,
        settings_problems: Iterable[Problem],
        *,
        environ: Mapping[str, str],
        now: datetime,
        feed: Path | None = None,
        online: bool = False,
    ) -> None:
        self._workspace = workspace
        self._problems = tuple(settings_problems)
        self._environ, self._now, self._feed, self._online = environ, now, feed, online

    def checks(self) -> Iterator[tuple[str, Callable[[], Iterable[HealthFinding]]]]:
        """The checks in the order of the output; slow ones last."""
        root, own = self._workspace.root, config_dir(self._environ)
        keys = (self._workspace.identity, self._workspace.signing_key)
        yield "workspace.settings", self._settings
        yield "keys.private", lambda: private_findings("keys.private", keys, own)
        yield "keys.workspace", lambda: secret_file_findings(root)
        yield "keys.identity", self._identity
        yield "signer.trusted", self._signer
        yield "trust.list", self._list
        yield "trust.derived", self._derived
        yield "approvals.pending", self._approvals
        yield "orders.valid", lambda: order_findings(root, self._trusted(), self._id(), self._now)
        yield "recovery.tested", self._recovery
        yield "vault.log", self._vault
        yield "feed.expiry", self._index
        if (feed := self._feed) is not None:
            yield "feed.trust", lambda: feed_trust_findings(feed, self._trusted())
            yield "feed.files", lambda: feed_file_findings(feed, self._id(), self._trusted(), self._now)
        yield "clock.behind", self._clock
        yield "files.unfinished", lambda: journal_finding(root)
        yield "locks.stale", lambda: lock_findings((root, own))
        yield "files.left", lambda: leftover_findings((root, own))
        yield "git.merge-marks", lambda: merge_findings(root, (*_MERGED, self._inventory()))
        yield "git.committed", lambda: git_findings(root, _COMMITTED, self._environ)
        yield "programs", lambda: program_findings(self._environ)
        yield "gateway.reachable", self._gateway

    def _settings(self) -> Iterator[HealthFinding]:
        for problem in self._problems:
            yield failed("workspace.settings", str(problem), problem.hint or "provision check", str(problem.place))
        if not self._problems:
            yield fine("workspace.settings", "provision.toml is valid")

    def _identity(self) -> Iterator[HealthFinding]:
        found = list(identity_problems(self._workspace))
        for problem in found:
            yield failed("keys.identity", problem.message, problem.hint)
        if not found:
            has_feed = (self._workspace.root / FILE).exists()
            yield fine("keys.identity", f"your identity opens the vault{' and the feed secret' if has_feed else ''}")

    def _trusted(self) -> WorkspaceTrust:
        return workspace_trust(self._workspace, self._id(), self._now)

    def _id(self) -> str:
        return read_workspace_id(self._workspace.vault)

    def _inventory(self) -> str:
        return os.path.relpath(self._workspace.inventory, self._workspace.root)

    def _signer(self) -> Iterator[HealthFinding]:
        trusted, path = self._trusted(), self._workspace.signing_key
        key, may, reasons = load_signing_key(path), [], []
        for role in Role:
            try:
                trusted.require_may_sign(key, role, self._now, path)
                may.append(role.value)
            except MayNotSignError as e:
                reasons.append(e)
        if may:
            yield fine("signer.trusted", f"your key may sign: {', '.join(may)}")
        else:
            yield failed("signer.trusted", reasons[0].message, reasons[0].hint, str(path))

    def _list(self) -> Iterator[HealthFinding]:
        trusted = self._trusted()
        trust = trusted.trust
        if trust is None:
            fix = "make the first one: provision operators upgrade"
            yield warning("trust.list", "the workspace has no trust list: machines use allowed_signers", fix)
            return
        ids = {
            "trust-chain": "trust.list",
            "trust-expiry": "trust.expiry",
            "no-recovery": "recovery.exists",
            "trust-pending": "trust.pending",
        }
        found = {p.rule: p for p in operator_problems(self._workspace, self._now) if p.rule in ids}
        for rule, id_ in ids.items():
            if rule in found:
                tier = failed if found[rule].severity is Severity.ERROR else warning
                yield tier(id_, found[rule].message, found[rule].hint, str(found[rule].place))
            elif rule == "trust-expiry" and trusted.expired:
                fix = "renew it: provision operators check --renew"
                yield failed(
                    id_, f"trust list {trust.number} expired on {trust.expires}: machines accept nothing new", fix
                )
            else:
                fine_texts = {
                    "trust.list": f"trust list {trust.number} continues the one that you accepted before; all lists are there",
                    "trust.expiry": f"valid until {trust.expires}",
                    "recovery.exists": "the list names a recovery key",
                    "trust.pending": "no list waits for signatures",
                }
                yield fine(id_, fine_texts[id_])

    def _derived(self) -> Iterator[HealthFinding]:
        """Whether what is derived from the list and the vault is as they say."""
        trusted, vault, root = self._trusted(), read_vault(self._workspace.vault), self._workspace.root
        wrong = []
        if trusted.trust is not None:
            data = read_optional(self._workspace.allowed_signers, 1 << 20)
            if data != trusted.trust.allowed_signers_text().encode():
                wrong.append(self._workspace.name_of(self._workspace.allowed_signers))
        wanted = {parse_recipient(text).text for text in (*vault.header.operators, *vault.header.recovery)}
        sealed = secret_recipients(root / FILE)
        if sealed is not None and sealed != wanted:
            wrong.append(FILE)
        if wrong:
            fix = "write them again: provision operators check --renew"
            yield failed("trust.derived", f"{' and '.join(wrong)}: not as vault and trust list say", fix, *wrong)
        else:
            yield fine("trust.derived", "allowed_signers and the feed secret are as vault and trust list say")

    def _approvals(self) -> Iterator[HealthFinding]:
        fleet = load_fleet(self._workspace)
        found = list(approval_problems(self._workspace, fleet.states))
        for problem in found:
            yield warning(
                "approvals.pending", problem.message, problem.hint, *([str(problem.place)] if problem.place else [])
            )
        if any(problem.severity is Severity.ERROR for problem in fleet.problems):
            text = "the inventory or a profile has errors: not all recipients were compared"
            yield skipped("approvals.pending", text, "provision check")
        elif not found:
            yield fine("approvals.pending", "no change in the workspace waits for your approval")

    def _recovery(self) -> Iterator[HealthFinding]:
        trusted = self._trusted()
        if trusted.trust is None or not trusted.trust.recovery:
            yield skipped("recovery.tested", "the list names no recovery key")
            return
        day = recovery_tested(trusted.trust.workspace)
        fix = "take the page and prove it: provision recovery test"
        if day is None:
            yield warning("recovery.tested", "the recovery key was never tested on this machine", fix)
        elif self._now - day > _TEST_EVERY:
            yield warning("recovery.tested", f"the recovery key was last tested on {day:%Y-%m-%d}", fix)
        else:
            yield fine("recovery.tested", f"the recovery key was tested on {day:%Y-%m-%d}")

    def _vault(self) -> Iterator[HealthFinding]:
        log, sealed = log_path(self._workspace.vault), read_vault(self._workspace.vault)
        found = next(log_mismatches(log, sealed.generation, sealed.header.log_head), None)
        head = sealed.header.log_head
        faults = verify_log(log, known=[KnownEnd("the vault", LogEnd(*head))] if head and not found else ()).faults
        if faults:
            fix = "compare it: git log -p events.jsonl; all faults: provision keys log --verify"
            yield failed("vault.log", f"the event log was changed: {faults[0].what}", fix, log.name)
        if found is not None:
            fix = "compare them: git log -p keys.vault events.jsonl"
            tier = warning if found.maybe_crash else failed
            yield tier("vault.log", found.message, fix, self._workspace.name_of(self._workspace.vault))
        elif not faults:
            yield fine("vault.log", "the vault is not older than its log, and the log is one chain")

    def _index(self) -> Iterator[HealthFinding]:
        if self._feed is None:
            yield skipped(
                "feed.expiry", "nothing that is published was looked at", "name it: provision doctor --feed DIR"
            )
            return
        trusted = self._trusted()
        parts = list(published_parts(self._feed, self._id(), trusted.signers, self._now))
        again = "publish again, every day: provision publish DIR"
        for path, part in parts:
            if not isinstance(part, Index):
                yield failed("feed.expiry", f"{path}: {part.message}", again, str(path))
        ends = [part.expires_at for _, part in parts if isinstance(part, Index)]
        if not ends:
            yield failed("feed.expiry", f"{self._feed} has no valid index", again, str(self._feed))
        elif min(ends) <= self._now:
            yield failed(
                "feed.expiry", f"the feed's index expired on {min(ends):%Y-%m-%d %H:%M} UTC", again, str(self._feed)
            )
        elif min(ends) - self._now < _FEED_SOON:
            yield warning(
                "feed.expiry", f"the feed's index expires on {min(ends):%Y-%m-%d %H:%M} UTC", again, str(self._feed)
            )
        else:
            yield fine("feed.expiry", f"the feed's index is valid until {min(ends):%Y-%m-%d}")

    def _clock(self) -> Iterator[HealthFinding]:
        known: dict[str, datetime] = {}
        for recorded in newest_events(log_path(self._workspace.vault), 1):
            known["the newest event in the log"] = recorded.event.at.astimezone(UTC)
        trust = self._trusted().trust
        if trust is not None:
            known[f"trust list {trust.number}"] = parse_moment(trust.created)
        yield from clock_findings(self._now, known)

    def _gateway(self) -> Iterator[HealthFinding]:
        if not self._online:
            yield skipped("gateway.reachable", "not asked", "ask it: provision doctor --online")
            return
        settings = self._workspace.settings
        url = settings.gateway.rstrip("/") + "/models"
        yield from server_findings("gateway.reachable", url, bundle=self._workspace.tls_bundle, proxy=settings.proxy)
