"""Read `provision/validate/v1` documents: the fleet report shows each user's last verdict from the gateway."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from provision.aisa.verdicts import Verdict
from provision.errors import ProvisionError
from provision.signing.signed_json import DocumentForm, refuse_secrets

SCHEMA = "provision/validate/v1"
LIMIT_BYTES = 256 << 20


class ValidationFileError(ProvisionError):
    """A file that was given as results of `validate` is not one."""


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True
    )  # only part of the document is needed, and it may gain fields


class ValidatedUser(_Model):
    """One user's verdict; `key_fingerprint` is that of the validated key."""

    user: str = Field(max_length=200)
    verdict: Verdict
    advice: str = ""
    key_fingerprint: str | None = None


class _Summary(_Model):
    started: str = Field(max_length=64)


class ValidationDocument(_Model):
    """The verdicts of one run, and when it started."""

    users: tuple[ValidatedUser, ...]
    summary: _Summary

    @property
    def started(self) -> str:
        """The start time, as in the document."""
        return self.summary.started


_FORM = DocumentForm(
    model=ValidationDocument,
    schema=SCHEMA,
    name="this file",
    limit_bytes=LIMIT_BYTES,
    error=ValidationFileError,
    sound=refuse_secrets,
    other_version="give the file that `provision validate --format json --output FILE` wrote",
    hint="`provision validate --format json --output FILE` writes one",
)


def read_validation(data: bytes) -> ValidationDocument:
    """Parse the verdicts in a document. Raises ValidationFileError."""
    return _FORM.parse(data)
