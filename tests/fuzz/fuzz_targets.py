"""What is fuzzed: every parser of bytes that others wrote, with small seeds. A target may raise errors of provision only."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
import zlib
from contextlib import closing, suppress
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fuzz_container_targets import CONTAINER_TARGETS, read_container
from fuzz_fleet_targets import FLEET_TARGETS
from fuzz_target import Target, stock, text_of
from PIL import Image

from provision.aisa.answers import GatewayAnswer, Probe
from provision.aisa.catalogue import Catalogue, parse_catalogue
from provision.aisa.verdicts import ProbedRoute, diagnose_answer
from provision.audit.document import read_document
from provision.bundle.manifest import parse_manifest
from provision.containers.container_format import container_format
from provision.detect.detector import Detector
from provision.detect.known_file import parse_known_keys
from provision.detect.rules.builtin import BUILTIN
from provision.detect.rules.gitleaks import read_rules
from provision.endpoint.fetch import read_archive
from provision.feed.index import parse_index
from provision.fleet.desired import ApiMode
from provision.formats.csv_reader import read_csv
from provision.formats.json_reader import read_json
from provision.formats.located import BrokenTextError
from provision.hermes.auth_file import clean_auth
from provision.hermes.config.merge import clean_config, merge_config
from provision.hermes.env.dotenv import edit_env
from provision.hermes.env.parsers import read_env_lines, read_env_raw
from provision.keys.age_header import parse_age_file
from provision.keys.events.log import new_log
from provision.keys.events.text import check_chain
from provision.keys.import_file import read_keys
from provision.keys.vault.text import parse_vault
from provision.receipts.receipt import parse_receipt
from provision.redact.masks import Masker, MaskStyle
from provision.redact.pictures.formats import decode_picture
from provision.redact.recordings import asciinema
from provision.redact.session import RedactionOptions, Session
from provision.signing.allowed_signers import parse_allowed_signers
from provision.signing.signed_text import sign_text, verify_text
from provision.signing.sshsig import public_line, sign_bytes, verify_signature

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
RENDERING = b"""_config_version: 33
model: {provider: 'custom:aisa', default: gpt-5.2}
providers: {aisa: {key_env: AISA_API_KEY, api: "https://api.aisa.one/v1"}}
"""
KNOWN = {"schema": "provision/known-keys/v1", "salt": "ab" * 16, "shapes": [["sk-aisa-", 43]]}
KNOWN["keys"] = [
    {"user": "ada", "fingerprint": "fp_aaaabbbbccccdddd", "stage": "current", "created": "2026-01-01", "label": "x"}
]
AUDIT = {"schema": "provision/audit/v1", "host": "h", "user": None, "started": "2026-01-01T00:00:00Z", "elapsed_s": 0.1}
AUDIT |= {
    "targets": ["/home/ada"],
    "findings": [],
    "excused": [],
    "routes": [],
    "unreadable": [{"path": "x", "reason": "y"}],
}
COUNTS = {"findings": 0, "excused": 0, "allowed": 0, "in_place": 0, "unreadable": 1, "files": 1, "bytes": 9}
AUDIT["summary"] = {**COUNTS, "by_severity": {}}
MODEL = {"id": "gpt-5.2", "kind": "text", "hermes_modes": ["chat"], "context": 128000}
MODELS = {"schema": "provision/models/v1", "as_of": "2026-01-01", "models": [MODEL]}
_SESSION: list[Session] = []


def _answered(data: bytes) -> None:
    """The first byte chooses the probe, the status and the mode."""
    first, body = data[:1] or b"\0", data[1:]
    probe, mode = list(Probe)[first[0] % len(Probe)], list(ApiMode)[first[0] // 8 % len(ApiMode)]
    status = (200, 200, 400, 401, 402, 403, 404, 429, 500, 502)[first[0] % 10]
    kind = "text/event-stream" if body.startswith(b"data:") else "application/json"
    asked = ProbedRoute("gpt-5.2", mode, "https://api.aisa.one/v1", Catalogue([], as_of="2026-01-01"))
    diagnose_answer(probe, GatewayAnswer(status, body=body, content_type=kind), asked)


def _cast(data: bytes) -> None:
    if not _SESSION:
        _SESSION.append(Session(Detector(BUILTIN), Masker(MaskStyle.TAG, b"0" * 32), RedactionOptions()))
    asciinema.redact_file(io.BytesIO(data), io.BytesIO(), "x.cast", _SESSION[0])


def _merged(data: bytes) -> None:
    first = merge_config(data, None, RENDERING).data
    again = merge_config(first, RENDERING, RENDERING).data
    assert again == first, "a second merge changes something"
    clean_config(data, None, RENDERING)


def _env(data: bytes) -> None:
    read_env_raw(data)
    read_env_lines(data)
    edited = edit_env(data, {"AISA_API_KEY": "sk-aisa-x"}, {"CUSTOM_BASE_URL"}).data
    assert read_env_raw(edited)["AISA_API_KEY"] == "sk-aisa-x"


def _events(data: bytes) -> None:
    list(check_chain(iter(data.split(b"\n"))))


def _csv(data: bytes) -> None:
    with suppress(BrokenTextError):  # its callers turn it into one of their errors
        list(read_csv(data, "x.csv"))


def _pictures() -> list[bytes]:
    found = []
    for kind in ("PNG", "GIF", "JPEG", "BMP", "TIFF", "WEBP"):
        out = io.BytesIO()
        Image.new("RGB", (3, 2), (200, 10, 10)).save(out, kind)
        found.append(out.getvalue())
    return found


def _archives() -> list[bytes]:
    tar, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        info = tarfile.TarInfo("manifest.json")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"{}"))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"a" * 100)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (a TEXT)")
        db.execute("INSERT INTO t VALUES ('x')")
        image = db.serialize()
    packed = tar.getvalue()
    streams = [gzip.compress(packed, mtime=0), bz2.compress(packed), lzma.compress(packed), zlib.compress(packed)]
    return [
        packed,
        zipped.getvalue(),
        image[:4096],
        *streams,
        b"%PDF-1.4\n1 0 obj <</Length 3>> stream\nabc\nendstream\n",
    ]


CAST = json.dumps({"version": 2, "width": 80, "height": 24}).encode() + b'\n[0.1, "o", "sk-aisa-x\\r\\n"]\n'
SIGNED = sign_text(b'{"schema": "x"}\n', KEY, "hermes-provision-feed")

TARGETS = (
    Target("vault", lambda data: parse_vault(data, "keys.vault"), stock("keys.vault")),
    Target("manifest", parse_manifest, stock("manifest.json")),
    Target("sshsig", lambda data: verify_signature(b"x", data), [sign_bytes(b"x", KEY)]),
    Target("signed-text", lambda data: verify_text(data, "hermes-provision-feed"), [SIGNED]),
    Target(
        "allowed-signers",
        lambda data: parse_allowed_signers(text_of(data)),
        [f'op namespaces="a,!b",valid-after="20260101Z" {public_line(KEY.public_key())} c\n# x\n'.encode()],
    ),
    Target("receipt", parse_receipt, [text.partition(b"-----BEGIN")[0] for text in stock("*.receipt")]),
    Target("feed-index", parse_index, [text.partition(b"-----BEGIN")[0] for text in stock("index.json")]),
    Target("bundle-tar", read_archive, _archives()[:1]),
    Target("events", _events, [new_log("0f" * 16, datetime(2026, 1, 1, tzinfo=UTC))[0]]),
    Target("age", parse_age_file, stock(".env.age")),
    Target("env", _env, [b"A=1\nexport B='x y'\n# c\nAISA_API_KEY=old\n\xff=\r\n", b'\xef\xbb\xbfA="x\\n"\n']),
    Target(
        "yaml-merge",
        _merged,
        [b"# mine\nmodel:\n  default: x\nproviders: {a: {api_key: k}}\nl: &a [1, *a]\n", RENDERING],
    ),
    Target(
        "auth", lambda data: clean_auth(data, "custom:aisa"), [b'{"credential_pool": {"a": [{"access_token": "x"}]}}']
    ),
    Target(
        "gateway",
        _answered,
        [b'\x01{"error": {"code": "x", "message": "y"}}', b'\x02data: {"choices": []}\n\ndata: [DONE]\n'],
    ),
    Target("catalogue", lambda data: parse_catalogue(data, "models.json"), [json.dumps(MODELS).encode()]),
    Target(
        "keys-file",
        lambda data: read_keys(data, "keys.csv"),
        [b"user,key\nada,sk-aisa-x\n", b'[{"user": "a", "key": "b"}]'],
    ),
    Target("csv", _csv, [b'a,"b\n",c\r\n#x\n']),
    Target("json", lambda data: read_json(data, "x.json"), [b'{"a": [1, 1e9, "\\ud800", null]}']),
    Target("known", parse_known_keys, [json.dumps(KNOWN).encode()]),
    Target(
        "rules",
        lambda data: read_rules(data, "rules.toml"),
        [b'[[rules]]\nid = "x"\nregex = "a{1,3}"\nkeywords = ["k"]\n'],
    ),
    Target("audit-report", read_document, [json.dumps(AUDIT).encode()]),
    Target("cast", _cast, [CAST, b'{"version": 1, "width": 8, "height": 2, "stdout": [[0.1, "x"]]}']),
    Target("containers", lambda data: read_container(container_format(data[:4096], "x"), data), _archives()),
    *CONTAINER_TARGETS,
    Target("picture", decode_picture, _pictures()),
    *FLEET_TARGETS,
)
