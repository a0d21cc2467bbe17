"""A rotation without effects: the same steps on a copy of what they would write, in a temporary folder that is removed.

Copied are the sealed vault, its log, bundles, receipts and journals; keys are encrypted in all of them. The gateway is asked
free questions only, and no machine is reached: paid calls and pushes are left out.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.keys.events.log import log_path
from provision.rotate.delivery import RECEIPTS
from provision.rotate.store import FOLDER, RotationStore
from provision.scratch import Scratch, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.fleet.workspace import Workspace
    from provision.rotate.context import RotationContext
    from provision.rotate.model import Terms
    from provision.rotate.rotation import Rotation

_COPIED = (FOLDER, RECEIPTS, "templates")


class _RehearsedStore(RotationStore):
    """The copied journals, whose rotations make no paid call and push nothing."""

    def read(self, name: str) -> Rotation | None:
        rotation = super().read(name)
        if rotation is not None:
            rotation.terms = without_effects(rotation.terms)
        return rotation


def without_effects(terms: Terms) -> Terms:
    """The terms without paid calls and pushes."""
    return replace(terms, deploy=False, probes=tuple(probe for probe in terms.probes if probe != "chat"))


@contextlib.contextmanager
def rehearsed(context: RotationContext) -> Iterator[RotationContext]:
    """The same context on a copy: what a command does there has no effect."""
    with scratch_folder(Scratch.DRY_RUN) as folder:
        workspace = _copied(context.workspace, folder)
        yield replace(context, workspace=workspace, store=_RehearsedStore(workspace.root), rehearsal=True)


def _copied(workspace: Workspace, root: Path) -> Workspace:
    for name in _COPIED:
        if (workspace.root / name).is_dir():
            shutil.copytree(workspace.root / name, root / name)
    vault, dist = root / "keys.vault", root / "dist"
    for source, target in ((workspace.vault, vault), (log_path(workspace.vault), log_path(vault))):
        if source.exists():
            shutil.copyfile(source, target)
    if workspace.dist.is_dir():
        shutil.copytree(workspace.dist, dist)
    (root / FOLDER).mkdir(exist_ok=True)
    kept = ("allowed_signers", "identity", "signing_key", "catalogue", "tls_bundle")
    paths = {name: getattr(workspace, name) for name in kept}
    settings = workspace.settings.model_copy(
        update={**paths, "vault": vault, "dist": dist, "notify": (), "revoke_command": ()}
    )
    return replace(workspace, root=root, settings=settings)
