"""`provision/validate/v1` read back: what the report of the fleet says of each user's last answer from the gateway."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from provision.aisa.verdicts import Verdict
from provision.errors import ProvisionError
from provision.signing.signed_json import Form, refuse_secrets

SCHEMA = "provision/validate/v1"
LIMIT_BYTES = 256 << 20


class ValidatedError(ProvisionError):
    """A file that was given as results of `validate` is none."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # only a part of the document is needed, and it may grow


class Answer(_Model):
    """One user's verdict; `key_fingerprint` is that of the key that was asked about."""

    user: str = Field(max_length=200)
    verdict: Verdict
    advice: str = ""
    key_fingerprint: str | None = None


class _Summary(_Model):
    started: str = Field(max_length=64)


class Validated(_Model):
    """The answers of one run, and when it began."""

    users: tuple[Answer, ...]
    summary: _Summary

    @property
    def started(self) -> str:
        """As the document says it."""
        return self.summary.started


_FORM = Form(
    model=Validated,
    schema=SCHEMA,
    name="this file",
    limit_bytes=LIMIT_BYTES,
    error=ValidatedError,
    sound=refuse_secrets,
    other_version="give the file that `provision validate --format json --output FILE` wrote",
    hint="`provision validate --format json --output FILE` writes one",
)


def read_validated(data: bytes) -> Validated:
    """The answers in a document. Raises ValidatedError."""
    return _FORM.parse(data)
