"""Installing into homes of all kinds: what is set, kept, removed and refused; and what is left when it fails half-way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from bundlecraft import NOW, PROFILE, Shop, fresh_key, resigned

from provision.endpoint.apply import DiskWriter, DryRunWriter
from provision.endpoint.install import InstallReport, InstallRequest, install_bundle
from provision.endpoint.plan import UnreadableHomeError
from provision.endpoint.privileges import LinkedHomeError
from provision.endpoint.processes import running_hermes
from provision.endpoint.run import NotForRunError, PreferredLineError, prepare_run
from provision.endpoint.state import JOURNAL, BrokenInstallationError, read_installed
from provision.endpoint.status import home_status, home_status_json
from provision.endpoint.verify import ExpiredBundleError, OlderBundleError, OtherUserError, OtherWorkspaceError
from provision.errors import Severity
from provision.files import FileProblemError
from provision.fleet.desired import ApiMode, EffectiveProfile, GuardrailPolicy, Platform, SecretDelivery
from provision.hermes.home import HomeFiles
from provision.hermes.routing.environment import load_environment
from provision.keys.age import load_identities

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
RUN = replace(PROFILE, secret_delivery=SecretDelivery.RUN)
MANAGED = replace(PROFILE, managed=True)


class Endpoint:
    """A machine with a home, an identity and trust in the shop's signer."""

    def __init__(self, folder: Path, shop: Shop, user: str = "ada") -> None:
        self.shop, self.user, self.folder = shop, user, folder
        self.home = folder / "home"
        self.managed = folder / "managed"
        self.identity = shop.identity_file(user, folder / "identity.txt")
        self.environ: dict[str, str] = {"HOME": str(folder), "PATH": os.environ["PATH"]}

    def install(self, files: Mapping[str, bytes], *, dry: bool = False, **request: object) -> InstallReport:
        asked = InstallRequest(
            signers=self.shop.signers,
            identities=load_identities(self.identity),
            platform=Platform.LINUX,
            home=self.home,
            managed_dir=self.managed,
        )
        writer = (DryRunWriter if dry else DiskWriter)(self.folder)
        return install_bundle(files, replace(asked, **request), writer, environ=self.environ, now=self.shop.now)  # type: ignore[arg-type]

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def config(self) -> dict:  # type: ignore[type-arg]
        return yaml.safe_load((self.home / "config.yaml").read_text())

    def env(self) -> str:
        return (self.home / ".env").read_text()

    def tree(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in sorted(self.folder.rglob("*")) if p.is_file()}

    @property
    def key(self) -> str:
        return self.shop.keys[self.user].reveal()


@pytest.fixture
def shop() -> Shop:
    return Shop(users=("ada", "bob"))


@pytest.fixture
def endpoint(tmp_path: Path, shop: Shop) -> Endpoint:
    return Endpoint(tmp_path, shop)


def with_profile(endpoint: Endpoint, profile: EffectiveProfile, **more: object) -> dict[str, bytes]:
    return endpoint.shop.bundle(endpoint.user, profile=profile, **more)


def test_a_fresh_home(endpoint: Endpoint) -> None:
    report = endpoint.install(endpoint.shop.bundle("ada"))
    assert report.ok, report
    assert report.check.route.url == "https://api.aisa.one/v1/chat/completions"
    assert endpoint.env() == f"AISA_API_KEY={endpoint.key}\nTEAM=engineering\n"
    assert endpoint.config()["model"]["default"] == "gpt-5.2"
    assert {p.stat().st_mode & 0o777 for p in (endpoint.home / ".env", endpoint.home / "config.yaml")} == {0o600}
    assert endpoint.home.stat().st_mode & 0o777 == 0o700
    found = [name for name, data in endpoint.tree().items() if endpoint.key.encode() in data]
    assert found == ["home/.env"]
    assert endpoint.key not in repr(report)


def test_again_changes_nothing_and_says_so(endpoint: Endpoint) -> None:
    bundle = endpoint.shop.bundle("ada")
    endpoint.install(bundle)
    before = endpoint.tree()
    times = {p: p.stat().st_mtime_ns for p in endpoint.home.rglob("*") if p.is_file() and p.name != "lock"}
    report = endpoint.install(bundle)
    assert report.plan.empty
    assert report.ok
    assert endpoint.tree() == before
    assert {p: p.stat().st_mtime_ns for p in times} == times


def test_a_dry_run_writes_nothing_and_tells_the_same(endpoint: Endpoint) -> None:
    endpoint.write(".env", "CUSTOM_BASE_URL=https://evil.example/v1\nMINE=1\n")
    endpoint.write("config.yaml", "display: {compact: true}\n")
    before = endpoint.tree()
    said = endpoint.install(endpoint.shop.bundle("ada", generation=2 * 10**9), dry=True)
    assert endpoint.tree() == before
    assert not (endpoint.home / ".provision").exists()
    done = endpoint.install(endpoint.shop.bundle("ada", generation=2 * 10**9))
    assert (said.plan.set_, said.plan.removed, said.ok) == (done.plan.set_, done.plan.removed, done.ok)
    assert said.check.checks == done.check.checks


def test_a_dry_run_on_a_machine_without_a_home(endpoint: Endpoint) -> None:
    for extra in ({}, {"hermes_profile": "work"}):
        report = endpoint.install(endpoint.shop.bundle("ada", **extra), dry=True)
        assert report.check.route.key_fingerprint == report.manifest.key_fingerprint
        assert not endpoint.home.exists()


def test_the_users_own_stays_and_what_hijacks_goes(endpoint: Endpoint) -> None:
    other = "sk-aisa-TEST-another-key-of-mine"
    endpoint.write(
        "config.yaml",
        "# my notes\ndisplay:\n  compact: true   # I like it\n"
        f"model:\n  provider: custom\n  base_url: https://api.aisa.one/v1\n  api_key: {other}\n  default: gpt-4\n"
        f"providers:\n  AISA: {{api: https://evil.example/v1, api_key: {other}}}\n"
        "  mine: {base_url: https://llm.example/v1, api_key: mine-own-value}\n",
    )
    endpoint.write(
        ".env", "\ufeff# mine\nMY_TOKEN='a b'\nCUSTOM_BASE_URL=https://evil.example/v1\nHERMES_INFERENCE_MODEL=x\n"
    )
    pool = [{"source": "manual", "access_token": other, "label": "k"}]
    endpoint.write("auth.json", json.dumps({"version": 1, "credential_pool": {"custom:aisa": pool}}))
    report = endpoint.install(endpoint.shop.bundle("ada"))
    assert report.ok, report.check
    config = endpoint.config()
    assert config["display"] == {"compact": True}
    assert config["providers"]["mine"] == {"base_url": "https://llm.example/v1", "api_key": "mine-own-value"}
    assert "AISA" not in config["providers"]
    assert "# my notes" in (endpoint.home / "config.yaml").read_text()
    assert endpoint.env().startswith("# mine\nMY_TOKEN='a b'\n")
    assert "CUSTOM_BASE_URL" not in endpoint.env()
    assert {r.file for r in report.plan.removed} == {"config.yaml", ".env", "auth.json"}
    (note,) = (endpoint.home / ".provision" / "removed").iterdir()
    assert note.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(note.read_text())["removed"]) == len(report.plan.removed)
    for text in (note.read_text(), repr(report), (endpoint.home / "auth.json").read_text()):
        assert other not in text


def test_an_update_retires_what_it_set_and_keeps_what_the_user_changed(endpoint: Endpoint) -> None:
    first = replace(PROFILE, hermes={"display": {"compact": True, "skin": "dark"}}, env={"TEAM": "a", "ZONE": "b"})
    endpoint.install(with_profile(endpoint, first, generation=10))
    endpoint.write(".env", endpoint.env().replace("ZONE=b", "ZONE=mine") + "OWN=1\n")
    text = (endpoint.home / "config.yaml").read_text().replace("skin: dark", "skin: mine")
    endpoint.write("config.yaml", text)
    second = replace(PROFILE, model="gpt-5", hermes={}, env={}, key_env="AISA_TEAM_API_KEY")
    report = endpoint.install(with_profile(endpoint, second, generation=11))
    assert report.ok, report.check
    assert endpoint.env() == f"ZONE=mine\nOWN=1\nAISA_TEAM_API_KEY={endpoint.key}\n"
    assert endpoint.config()["display"] == {"skin": "mine"}
    assert endpoint.config()["model"]["default"] == "gpt-5"


def test_run_delivery_keeps_no_key_on_disk(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada", generation=10))
    assert endpoint.key in endpoint.env()
    report = endpoint.install(with_profile(endpoint, RUN, generation=11))
    assert report.ok, report.check
    assert endpoint.env() == "TEAM=engineering\n"
    assert [n for n, data in endpoint.tree().items() if endpoint.key.encode() in data] == []
    prepared = run_prepared(endpoint, {"CUSTOM_BASE_URL": "https://evil.example", "HERMES_INFERENCE_MODEL": "x"})
    assert prepared.environ["AISA_API_KEY"] == endpoint.key
    assert prepared.stripped == ("CUSTOM_BASE_URL", "HERMES_INFERENCE_MODEL")
    assert "CUSTOM_BASE_URL" not in prepared.environ
    assert endpoint.key not in repr(prepared)
    endpoint.write(".env", "AISA_API_KEY=\n")
    with pytest.raises(PreferredLineError):
        run_prepared(endpoint)
    back = endpoint.install(with_profile(endpoint, PROFILE, generation=12))
    assert back.ok
    assert not (endpoint.home / ".provision" / "env.age").exists()
    with pytest.raises(NotForRunError):
        run_prepared(endpoint)


def run_prepared(endpoint: Endpoint, environ: Mapping[str, str] | None = None, **more: object):
    return prepare_run(
        endpoint.home,
        **{  # type: ignore[arg-type]
            "hermes_profile": None,
            "signers": endpoint.shop.signers,
            "identities": lambda: load_identities(endpoint.identity),
            "environ": {**endpoint.environ, **(environ or {})},
            "now": NOW,
            **more,
        },
    )


def test_run_verifies_before_it_opens(endpoint: Endpoint) -> None:
    from provision.endpoint.verify import AlteredBundleError, UntrustedSignerError

    endpoint.install(with_profile(endpoint, RUN))
    asked: list[int] = []

    def identities():
        asked.append(1)
        return load_identities(endpoint.identity)

    with pytest.raises(UntrustedSignerError):
        run_prepared(endpoint, signers=(), identities=identities)
    with pytest.raises(ExpiredBundleError):
        run_prepared(endpoint, now=NOW + timedelta(days=91), identities=identities)
    sealed = endpoint.home / ".provision" / "env.age"
    sealed.write_bytes(sealed.read_bytes().replace(b"A", b"B", 1))
    with pytest.raises(AlteredBundleError):
        run_prepared(endpoint, identities=identities)
    assert not asked


def test_managed_scope_holds_no_secret(endpoint: Endpoint) -> None:
    endpoint.write(
        "config.yaml", "display: {compact: true}\nproviders: {AISA: {api: https://evil.example, api_key: abcdefgh}}\n"
    )
    bundle = with_profile(endpoint, MANAGED)
    report = endpoint.install(bundle)
    assert report.ok, report.check
    assert (endpoint.managed / "config.yaml").stat().st_mode & 0o777 == 0o644
    managed = yaml.safe_load((endpoint.managed / "config.yaml").read_text())
    assert managed["providers"]["aisa"]["api_key"] == ""
    assert "CUSTOM_BASE_URL=\n" in (endpoint.managed / ".env").read_text()
    assert endpoint.key in endpoint.env()
    assert endpoint.config()["display"] == {"compact": True}
    assert "evil" not in str(endpoint.config())
    assert [n for n, data in endpoint.tree().items() if endpoint.key.encode() in data] == ["home/.env"]
    assert endpoint.install(bundle).plan.empty


def test_the_managed_scope_holds_the_variables_of_a_policy(endpoint: Endpoint) -> None:
    """The managed `.env` is read last, so a line that the user adds to the own `.env` afterwards does not undo the policy."""
    endpoint.environ["HERMES_MANAGED_DIR"] = str(endpoint.managed)
    guarded = replace(MANAGED, policy=GuardrailPolicy(approvals="manual", redact=True))
    assert endpoint.install(with_profile(endpoint, guarded, generation=10)).ok
    lines = (endpoint.managed / ".env").read_text().splitlines()
    assert {"HERMES_YOLO_MODE=0", "HERMES_REDACT_SECRETS=true"} <= set(lines)
    with (endpoint.home / ".env").open("a") as own:
        own.write("HERMES_YOLO_MODE=1\nHERMES_REDACT_SECRETS=false\n")
    home, managed = (
        HomeFiles(str(folder), env=(folder / ".env").read_bytes()) for folder in (endpoint.home, endpoint.managed)
    )
    environment = load_environment(home, endpoint.environ, managed)
    assert (environment.get("HERMES_YOLO_MODE"), environment.get("HERMES_REDACT_SECRETS")) == ("0", "true")

    (endpoint.managed / ".env").write_text("\n".join([*lines, "TEAM=ours"]).replace("=true", "=1") + "\n")
    assert endpoint.install(with_profile(endpoint, MANAGED, generation=11)).ok
    left = (endpoint.managed / ".env").read_text()
    assert "YOLO" not in left
    assert "HERMES_REDACT_SECRETS=1\n" in left, "changed by somebody since"
    assert "TEAM=ours\n" in left


def test_a_managed_scope_left_behind_is_named_with_its_cure(endpoint: Endpoint) -> None:
    endpoint.environ["HERMES_MANAGED_DIR"] = str(endpoint.managed)
    managed = endpoint.install(with_profile(endpoint, MANAGED, generation=10))
    assert "managed-left" not in {h.id for h in managed.check.hazards}
    same = endpoint.install(with_profile(endpoint, PROFILE, generation=11))
    assert same.ok
    assert [(h.id, h.where) for h in same.check.hazards] == [("managed-left", f"{endpoint.managed}/config.yaml")]
    bundle = with_profile(endpoint, replace(PROFILE, model="gpt-5"), generation=12)
    other = endpoint.install(bundle)
    assert not other.ok
    [hazard] = [h for h in other.check.hazards if h.id == "wrong-model"]
    assert hazard.where == f"{endpoint.managed}/config.yaml model.default"
    assert "as root" in hazard.cure
    for name in ("config.yaml", ".env"):
        (endpoint.managed / name).unlink()
    endpoint.managed.rmdir()
    assert endpoint.install(bundle).ok


@pytest.mark.parametrize("mode", [ApiMode.CHAT_COMPLETIONS, ApiMode.CODEX_RESPONSES, ApiMode.ANTHROPIC_MESSAGES])
@pytest.mark.parametrize("delivery", list(SecretDelivery))
@pytest.mark.parametrize("hermes_profile", [None, "work"])
def test_each_mode_delivery_and_profile(
    endpoint: Endpoint, mode: ApiMode, delivery: SecretDelivery, hermes_profile: str | None
) -> None:
    model = "claude-sonnet-4.6" if mode is ApiMode.ANTHROPIC_MESSAGES else "gpt-5.2"
    profile = replace(PROFILE, api_mode=mode, model=model, secret_delivery=delivery)
    report = endpoint.install(with_profile(endpoint, profile, hermes_profile=hermes_profile))
    assert report.ok, report.check
    home = endpoint.home / "profiles" / "work" if hermes_profile else endpoint.home
    assert (home / "config.yaml").is_file()
    assert report.check.route.api_mode == mode


def test_hazards_of_the_shell_are_said_and_not_ok(endpoint: Endpoint) -> None:
    endpoint.environ["HERMES_INFERENCE_MODEL"] = "another-model"
    report = endpoint.install(endpoint.shop.bundle("ada"))
    assert not report.ok
    assert not report.check.checks["model"].ok
    assert any(h.severity is Severity.ERROR for h in report.check.hazards)


def test_refusals_change_nothing(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.install(endpoint.shop.bundle("ada", generation=10))
    before = endpoint.tree()
    other_workspace = resigned(endpoint.shop.bundle("ada", generation=11), endpoint.shop.signer, workspace="ee" * 16)
    other = Endpoint(tmp_path / "bob", endpoint.shop, "bob")
    for wrong, files, request in (
        (OlderBundleError, endpoint.shop.bundle("ada", generation=9), {}),
        (OtherUserError, endpoint.shop.bundle("bob", generation=11), {}),
        (OtherWorkspaceError, other_workspace, {}),
        (OtherUserError, endpoint.shop.bundle("ada", generation=11), {"user": "bob"}),
        (OtherUserError, endpoint.shop.bundle("ada", generation=11), {"identities": load_identities(other.identity)}),
    ):
        with pytest.raises(wrong):
            endpoint.install(files, **request)
        assert {k: v for k, v in endpoint.tree().items() if not k.startswith("bob/")} == before


def test_files_that_cannot_be_merged_stay(endpoint: Endpoint) -> None:
    from provision.hermes.config.merge import MergeError

    endpoint.write("config.yaml", "model: [broken\n")
    endpoint.write(".env", "MINE=1\n")
    before = endpoint.tree()
    with pytest.raises(MergeError):
        endpoint.install(endpoint.shop.bundle("ada"))
    (endpoint.home / "config.yaml").unlink()
    (endpoint.home / "config.yaml").mkdir()
    with pytest.raises(UnreadableHomeError):
        endpoint.install(endpoint.shop.bundle("ada"))
    assert endpoint.tree()["home/.env"] == before["home/.env"]


def test_a_broken_manifest_in_the_home_is_named(endpoint: Endpoint) -> None:
    endpoint.write(".provision/manifest.json", "{")
    with pytest.raises(BrokenInstallationError, match=r"manifest\.json"):
        endpoint.install(endpoint.shop.bundle("ada"))


def test_env_readable_by_others_is_closed(endpoint: Endpoint) -> None:
    bundle = endpoint.shop.bundle("ada")
    endpoint.install(bundle)
    (endpoint.home / ".env").chmod(0o644)
    assert not endpoint.install(bundle).plan.empty
    assert (endpoint.home / ".env").stat().st_mode & 0o777 == 0o600


def test_an_own_link_is_written_through(endpoint: Endpoint) -> None:
    dotfiles = endpoint.folder / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "hermes.yaml").write_text("display: {compact: true}\n")
    endpoint.home.mkdir()
    (endpoint.home / "config.yaml").symlink_to(dotfiles / "hermes.yaml")
    assert endpoint.install(endpoint.shop.bundle("ada")).ok
    assert (endpoint.home / "config.yaml").is_symlink()
    assert "gpt-5.2" in (dotfiles / "hermes.yaml").read_text()


def test_no_error_says_that_nothing_was_changed_when_something_was(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key behind the user's own link is in force before the transaction of the other files begins."""
    from provision import files

    endpoint.install(endpoint.shop.bundle("ada", generation=10))
    dotfiles = endpoint.folder / "dotfiles"
    dotfiles.mkdir()
    (endpoint.home / ".env").rename(dotfiles / "env")
    (endpoint.home / ".env").symlink_to(dotfiles / "env")
    before = (dotfiles / "env").read_bytes()
    endpoint.shop.keys["ada"] = fresh_key("second")
    real = os.fsync
    said = set()
    for fail_at in range(30):
        calls = iter(range(1000))

        def fsync(fd: int, calls: Iterator[int] = calls, fail_at: int = fail_at) -> None:
            if next(calls) == fail_at:
                raise OSError(5, "Input/output error")
            real(fd)

        (dotfiles / "env").write_bytes(before)
        monkeypatch.setattr(files.os, "fsync", fsync)
        refused: FileProblemError | None = None
        try:
            endpoint.install(endpoint.shop.bundle("ada", generation=11 + fail_at))
        except FileProblemError as e:
            refused = e
        if refused is not None:
            changed = (dotfiles / "env").read_bytes() != before
            said.add(changed)
            assert not (changed and "nothing was changed" in f"{refused}{refused.hint}"), (fail_at, str(refused))
        monkeypatch.undo()
    assert said == {True, False}


def test_a_link_out_of_the_users_folder_is_refused(
    endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "target.yaml"
    outside.write_text("a: 1\n")
    endpoint.home.mkdir()
    (endpoint.home / "config.yaml").symlink_to(outside)
    with pytest.raises(LinkedHomeError):
        endpoint.install(endpoint.shop.bundle("ada"))
    assert outside.read_text() == "a: 1\n"
    assert not (endpoint.home / ".env").exists()


@pytest.mark.skipif(not AS_ROOT, reason="only root can work for another")
def test_root_works_with_the_owners_rights(endpoint: Endpoint) -> None:
    for parent in (endpoint.folder, *endpoint.folder.parents):
        if parent.stat().st_uid == 0 and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    endpoint.home.mkdir()
    os.chown(endpoint.home, 12345, 12346)
    assert endpoint.install(endpoint.shop.bundle("ada")).ok
    owners = {(p.stat().st_uid, p.stat().st_gid) for p in endpoint.home.rglob("*")}
    assert owners == {(12345, 12346)}
    assert os.geteuid() == 0
    (endpoint.home / "config.yaml").unlink()
    (endpoint.home / "config.yaml").symlink_to("/etc/hostname")
    before = Path("/etc/hostname").read_bytes()
    with pytest.raises((LinkedHomeError, FileProblemError)):
        endpoint.install(with_profile(endpoint, replace(PROFILE, model="gpt-5"), generation=2 * 10**9))
    assert Path("/etc/hostname").read_bytes() == before
    linked = endpoint.folder / "linked"
    linked.symlink_to(endpoint.home)
    os.lchown(linked, 12345, 12346)
    with pytest.raises(LinkedHomeError):
        endpoint.install(endpoint.shop.bundle("ada"), home=linked)


def test_no_space_leaves_the_old_home(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    from provision import files

    endpoint.install(endpoint.shop.bundle("ada", generation=10))
    before = endpoint.tree()
    real, calls = os.fsync, iter(range(1000))

    for fail_at in range(4):
        calls = iter(range(1000))

        def fsync(fd: int, calls: Iterator[int] = calls, fail_at: int = fail_at) -> None:
            if next(calls) == fail_at:
                raise OSError(28, "No space left on device")
            real(fd)

        monkeypatch.setattr(files.os, "fsync", fsync)
        endpoint.shop.keys["ada"] = fresh_key(f"n{fail_at}")
        with pytest.raises(FileProblemError, match="No space left"):
            endpoint.install(endpoint.shop.bundle("ada", generation=11 + fail_at))
        monkeypatch.undo()
        assert endpoint.tree() == before


def test_an_interrupted_change_is_finished_first(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada", generation=10))
    staged = endpoint.home / ".config.yaml.0123.provision-new"
    staged.write_text((endpoint.home / "config.yaml").read_text().replace("compact", "x"))
    steps = [{"target": "config.yaml", "staged": staged.name}]
    (endpoint.home / JOURNAL).write_text(json.dumps({"steps": steps}))
    report = endpoint.install(endpoint.shop.bundle("ada", generation=11))
    assert report.recovered
    assert not staged.exists()


def test_status_tells_drift_route_and_checks(endpoint: Endpoint) -> None:
    def look():
        return home_status(endpoint.home, signers=endpoint.shop.signers, environ=endpoint.environ, now=NOW)

    nothing = look()
    assert not nothing.ok
    assert home_status_json(nothing)["installed"] is None
    endpoint.install(endpoint.shop.bundle("ada"))
    good = look()
    assert good.ok, good
    shown = home_status_json(good)
    assert {c["ok"] for c in shown["checks"].values()} == {True}
    assert list(shown["checks"]) == ["model", "base_url", "provider"]
    assert shown["route"]["key_fingerprint"] == shown["installed"]["key_fingerprint"]
    assert endpoint.key not in json.dumps(shown)
    endpoint.write("config.yaml", (endpoint.home / "config.yaml").read_text().replace("gpt-5.2", "gpt-4o"))
    endpoint.write(".env", "AISA_API_KEY=sk-aisa-TEST-other-key\n")
    bad = look()
    assert {(d.file, d.what.split()[0]) for d in bad.drift} >= {
        ("config.yaml", "model.default"),
        (".env", "AISA_API_KEY"),
    }
    assert not bad.check.checks["model"].ok  # type: ignore[union-attr]
    assert not bad.check.checks["provider"].ok  # type: ignore[union-attr]
    assert "TEST-other" not in json.dumps(home_status_json(bad))
    later = home_status(endpoint.home, signers=(), environ=endpoint.environ, now=NOW + timedelta(days=91))
    assert any("expired" in d.what for d in later.drift)
    assert any("does not trust" in d.what for d in later.drift)


def test_running_hermes_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    program = tmp_path / "hermes"
    program.write_text("import time\ntime.sleep(60)\n")
    process = subprocess.Popen([sys.executable, str(program), "gateway"], env={"HERMES_HOME": str(home)})
    other = subprocess.Popen([sys.executable, str(program), "gateway"], env={"HERMES_HOME": str(tmp_path / "other")})
    try:
        deadline = NOW.timestamp()
        found = ()
        for _ in range(200):
            found = running_hermes(home) or ()
            if found:
                break
            deadline += 1
        assert [(p.pid, p.what) for p in found if p.same_home] == [(process.pid, "hermes gateway")]
    finally:
        for started in (process, other):
            started.kill()
            started.wait()


def test_what_is_installed_can_be_read_back(endpoint: Endpoint) -> None:
    endpoint.install(with_profile(endpoint, RUN))
    installed = read_installed(endpoint.home)
    assert installed is not None
    assert installed.manifest.user == "ada"
    assert set(installed.marks) == {"AISA_API_KEY", "TEAM"}
    assert read_installed(endpoint.folder) is None


def test_the_list_of_removed_settings_has_only_what_was_the_users(endpoint: Endpoint) -> None:
    """Ten new keys, and a setting of the profile that goes: nothing of that was the user's, so no note piles up."""
    notes = endpoint.home / ".provision" / "removed"
    for generation in range(10, 20):
        endpoint.shop.keys["ada"] = fresh_key("ada")
        team = {"TEAM": "a"} if generation % 2 else {}
        endpoint.install(with_profile(endpoint, replace(PROFILE, env=team), generation=generation))
    assert not notes.exists() or not list(notes.iterdir())
    endpoint.write(".env", endpoint.env() + "CUSTOM_BASE_URL=https://evil.example\n")
    endpoint.install(with_profile(endpoint, PROFILE, generation=30))
    assert len(list(notes.iterdir())) == 1
