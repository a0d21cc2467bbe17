"""The certificate authorities that every TLS connection trusts: those of the system, and one file of the organisation's own.

Behind TLS inspection only the system's store knows the authority in force, so the bundled list of an HTTP library is never used.
On Windows and macOS the system itself verifies the chain (truststore), as it also fetches authorities when they are first needed.
Elsewhere OpenSSL reads the distribution's file, or what `SSL_CERT_FILE` names.
"""

from __future__ import annotations

import functools
import os
import ssl
import sys
from pathlib import Path

from provision.errors import ProvisionError

BUNDLE_ENV = "PROVISION_TLS_BUNDLE"
"""The environment's form of the setting `tls_bundle`; on a user's machine, which has no workspace, the only one."""


class TlsBundleError(ProvisionError):
    """The file with additional certificate authorities cannot be used."""


def trust_context(bundle: Path | None = None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, and those in `bundle` or in the file that BUNDLE_ENV names."""
    named = os.environ.get(BUNDLE_ENV)
    return _context(bundle or (Path(named) if named else None))


@functools.cache
def _context(bundle: Path | None) -> ssl.SSLContext:  # reading the authorities takes up to 0.1 s
    context = _system_context()
    if bundle:
        try:
            context.load_verify_locations(cafile=bundle)
        except (OSError, ssl.SSLError) as e:
            raise TlsBundleError(
                f"cannot use the TLS bundle {bundle}",
                hint=f"tls_bundle, or {BUNDLE_ENV} in the environment, must name a PEM file",
            ) from e
    return context


def _system_context() -> ssl.SSLContext:
    if sys.platform in {"win32", "darwin"}:
        import truststore  # noqa: PLC0415  only installed where it is needed

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context()
