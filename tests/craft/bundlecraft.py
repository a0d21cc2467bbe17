"""What tests of bundles share: a workspace in memory, real templates, real age identities, a signing key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import seeded
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.bundle.manifest import MANIFEST, SIGNATURE, manifest_bytes, parse_manifest
from provision.bundle.plan import PlannedBundle, RenderInputs, plan_bundles
from provision.bundle.render import RenderOptions, RenderOutcome, opened_dist, render_bundles, user_ids
from provision.bundle.seal_and_sign import BundleJob, bundle_files
from provision.detect.secret import Secret
from provision.errors import Place
from provision.fleet.desired import DesiredState, EffectiveProfile
from provision.hermes.rendering.templates import Templates
from provision.keys.age import generate_identity
from provision.signing.allowed_signers import AllowedSigner, parse_allowed_signers, signer_line
from provision.signing.sshsig import public_line, sign_bytes

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
WORKSPACE_ID = "0f" * 16
PROFILE = EffectiveProfile(
    name="engineering",
    model="gpt-5.2",
    base_url="https://api.aisa.one/v1",
    context_length=131072,
    hermes={"security": {"redact_secrets": True}},
    env={"TEAM": "engineering"},
)


class Keys(dict[str, Secret]):
    """Keys by user."""

    def key_for(self, user: str) -> Secret | None:
        return self.get(user)


def fresh_key(user: str) -> Secret:
    """A key for a user that no scanner takes for a real one."""
    return Secret(f"sk-aisa-TEST-{user[:12]}-{seeded.token_hex(4)}")


@dataclass
class Shop:
    """A small operator's workspace: users, their identities and keys, a signer."""

    users: Sequence[str] = ("ada", "bob", "eve")
    profile: EffectiveProfile = PROFILE
    signer: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    templates: Templates = field(default_factory=lambda: Templates.load(TEMPLATES))
    now: datetime = NOW
    workspace_id: str = WORKSPACE_ID

    def __post_init__(self) -> None:
        self.identities = {user: generate_identity() for user in self.users}
        self.keys = Keys({user: fresh_key(user) for user in self.users})
        self.salt, self.digest_key = seeded.token_bytes(16), seeded.token_bytes(32)
        self.states = tuple(self.state(user) for user in self.users)

    def state(self, user: str, **changes: object) -> DesiredState:
        state = DesiredState(
            user=user, profile=self.profile, place=Place("inventory.yaml", 1), recipients=(self.identities[user][1],)
        )
        return replace(state, **changes)  # type: ignore[arg-type]

    @property
    def common(self) -> RenderInputs:
        return RenderInputs(
            workspace_id=self.workspace_id,
            templates=self.templates,
            keys=self.keys,
            salt=self.salt,
            digest_key=self.digest_key,
            operators=(),
            bundle_days=90,
            now=self.now,
            gateway_hosts=("api.aisa.one",),
        )

    @property
    def allowed_signers(self) -> str:
        return signer_line("operator", public_line(self.signer.public_key()))

    @property
    def signers(self) -> tuple[AllowedSigner, ...]:
        return parse_allowed_signers(self.allowed_signers)

    def render(self, root: Path, *, workers: int | None = 0, **how: object) -> dict[str, RenderOutcome]:
        """Render into a dist folder, in process unless told otherwise."""
        order = RenderOptions(self.states, user_ids(self.states), self.common, **how)  # type: ignore[arg-type]
        with opened_dist(root) as dist:
            return {o.user: o for o in render_bundles(order, dist, self.signer, lambda *_: None, workers=workers)}

    def bundle(self, user: str, *, generation: int | None = None, **state: object) -> dict[str, bytes]:
        """One user's bundle, in memory."""
        (wanted,) = plan_bundles([self.state(user, **state)], self.common)
        assert isinstance(wanted, PlannedBundle), wanted
        number = generation or int(self.now.timestamp())
        fields = wanted.fields(self.common, number)
        page = wanted.page(welcome := wanted.welcome(self.common), self.common)
        job = BundleJob(user, "", wanted.config, wanted.env(), welcome, page, wanted.recipients, fields)
        return bundle_files(job, self.signer)

    def identity_file(self, user: str, path: Path) -> Path:
        """The user's identity as a file of mode 0600."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.identities[user][0].reveal() + "\n")
        path.chmod(0o600)
        return path


def resigned(
    files: Mapping[str, bytes], signer: Ed25519PrivateKey, more: Mapping[str, bytes] | None = None, **fields: object
) -> dict[str, bytes]:
    """A bundle with other manifest fields and with further files that the manifest lists, signed again."""
    manifest = parse_manifest(files[MANIFEST])
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in (more or {}).items()}
    data = manifest_bytes(manifest.model_copy(update={"files": {**manifest.files, **digests}, **fields}))
    return {**files, **(more or {}), MANIFEST: data, SIGNATURE: sign_bytes(data, signer)}


def write_bundle(files: Mapping[str, bytes], folder: Path) -> Path:
    """A bundle as a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder
