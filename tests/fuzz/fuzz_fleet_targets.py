"""What is fuzzed of a workspace, a fleet and a home: trust, orders, exports, inventories, enrolments, answers of machines."""

from __future__ import annotations

import io
import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fuzz_target import FORMATS, Target, stock, text_of

from provision.aisa.answers import GatewayAnswer
from provision.aisa.spend import read_spend
from provision.audit.machines import read_machines
from provision.directory.people import read_export
from provision.enrolment.policy import parse_fingerprints
from provision.enrolment.sources import read_candidates
from provision.fleet.inventory import read_inventory
from provision.fleet.profiles import EffectiveProfiles, Profiles, read_profile
from provision.fleet.recipients import read_recipients
from provision.fleet.settings import read_settings
from provision.fleet.users import Users
from provision.formats.located import Place
from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.route import resolve_route
from provision.keys.recipients import parse_recipient
from provision.push.events import read_event
from provision.push.inventory import Target as Machine
from provision.report.fleet.validation_reader import read_validation
from provision.signing.allowed_signers import parse_allowed_signers
from provision.signing.signed_text import read_stream, sign_text
from provision.signing.sshsig import public_line
from provision.trust.files import chain_source, chain_tar
from provision.trust.orders import read_order
from provision.trust.recovery import RecoverySeed, parse_seed
from provision.trust.trust_list import NAMESPACES, Role, parse_list

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
SIGNERS = parse_allowed_signers(f'op namespaces="{NAMESPACES[Role.ORDER]}" {public_line(KEY.public_key())}\n')
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MACHINES = {"m": Machine("ada", "m", None, None, "team", "linux", ())}
AGE = "age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586"
TEAM = b"model: gpt-5.2\nbase_url: https://api.aisa.one/v1\nenv: {A: b}\nhermes: {security: {redact_secrets: true}}\n"
HOME = b"""model: {provider: custom, base_url: http://h/v1, default: m}
auxiliary: {vision: {provider: x}}
\0CUSTOM_BASE_URL=y
\0{"credential_pool": {"custom": [{"access_token": "t"}]}}\0{"jobs": [{"provider": "x"}]}\0model: {default: z}
"""
INVENTORY = f"""defaults: {{platform: linux, profile: team}}
users:
  - id: ada
    recipients: [{AGE}]
    tags: [pilot]
    overrides: {{model: claude-sonnet-5}}
    machines: {{laptop: {{recipients: [{AGE}]}}}}
"""


def _order(data: bytes) -> None:
    """Signed by a key that may give orders: the signature of other bytes is the target `signed-text`."""
    read_order(sign_text(data, KEY, NAMESPACES[Role.ORDER]), SIGNERS, NOW)


def _recipients(data: bytes) -> None:
    found = read_recipients(data, "x")
    for recipient in found[0] if isinstance(found, tuple) else ():
        parse_recipient(recipient)


def _inventory(data: bytes) -> None:
    """The first byte chooses the form."""
    layer, _ = read_profile("team", TEAM, "team.yaml")
    profiles = Profiles({"team": layer} if layer else {})
    users = read_inventory(
        data[1:],
        f"inventory.{('yaml', 'csv', 'json')[data[0] % 3 if data else 0]}",
        lambda: Users("x", profiles, EffectiveProfiles(""), lambda name, at: read_recipients(name.encode(), at.file)),
    )
    assert all(isinstance(problem.place, Place | None) for problem in users.problems)


def _enrolment(data: bytes) -> None:
    """The first byte chooses the form."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x.{('yaml', 'csv', 'json')[data[0] % 3 if data else 0]}")
        path.write_bytes(data[1:])
        list(read_candidates(str(path), lambda *_: b""))


def _keys_of_a_host(data: bytes) -> None:
    list(read_candidates("ada=https://keys.example/ada.keys", lambda *_: data))


def _spend(data: bytes) -> None:
    answer = GatewayAnswer(200, body=data, content_type="application/json")
    read_spend(answer, answer)


def _route(data: bytes) -> None:
    """Files of a home, separated by NUL bytes."""
    config, env, auth, jobs, managed = (data.split(b"\0") + [b""] * 5)[:5]
    home = HomeFiles("/h", config, env, auth or None, jobs=jobs or None)
    resolve_route(
        HermesFiles(home, managed=HomeFiles("/m", managed) if managed else None),
        environ={},
        fingerprint=lambda _: "fp",
    )


def _exports() -> list[bytes]:
    entra = "id,userPrincipalName,displayName,department,accountEnabled\n1,ada@x.example,Ada,R,True\n"
    scim = {"Resources": [{"userName": "ada", "active": True, "emails": [{"value": "a@x", "primary": True}]}]}
    ldif = b"dn: CN=Ada,DC=x\nobjectClass: user\nsAMAccountName: ada\nmail:: YUB4\nuserAccountControl: 512\n\n"
    return [entra.encode(), entra.encode("utf-16"), json.dumps(scim).encode(), ldif]


FLEET_TARGETS = (
    Target("trust-list", parse_list, stock("*-*.json")),
    Target("trust-tar", lambda data: chain_source(data, "x.tar"), [chain_tar({"root-1.json": b"{}"})]),
    Target("order", _order, [text.partition(b"-----BEGIN")[0] for text in stock("ada.order")]),
    Target(
        "seed",
        lambda data: parse_seed(text_of(data), "0f" * 16),
        ["\n".join(RecoverySeed("0f" * 16, b"\x05" * 32).groups()).encode()],
    ),
    Target("export", lambda data: read_export(data, "auto", {}, date(2026, 6, 1)), _exports()),
    Target(
        "recipients", _recipients, [f"# x\n{AGE}\nssh-ed25519 {public_line(KEY.public_key()).split()[1]} c\n".encode()]
    ),
    Target(
        "inventory",
        _inventory,
        [b"\0" + INVENTORY.encode(), b"\1id,profile,recipients\nada,team," + AGE.encode() + b"\n", b'\2{"users": []}'],
    ),
    Target(
        "profile",
        lambda data: read_profile("team", data, "team.yaml"),
        [TEAM, b"extends: base\npolicy: {approvals: ask}\n"],
    ),
    Target("settings", lambda data: read_settings(data, "provision.toml"), [b'gateway = "https://api.aisa.one/v1"\n']),
    Target(
        "enrolment",
        _enrolment,
        [
            f"\0id: ada\nrecipients: [{AGE}]\nplatform: linux\nhost: x.corp\n".encode(),
            f"\1id,recipients,host\nada,{AGE},x\n".encode(),
        ],
    ),
    Target("keys-of-a-host", _keys_of_a_host, [public_line(KEY.public_key()).encode() + b"\n# x\n"]),
    Target(
        "fingerprints",
        lambda data: parse_fingerprints(text_of(data), "x"),
        [b"ada lusab-babad-gutih-tugad-lusab\nada host:x.corp\n"],
    ),
    Target(
        "push-event",
        lambda data: read_event(data, MACHINES),
        [b'{"event": "result", "host": "m", "outcome": "failed", "result": {"msg": "x", "rc": 1, "receipt": "y"}}'],
    ),
    Target(
        "spend",
        _spend,
        [
            b'{"data": {"api_key": {"used_micros_usd": 1, "unlimited": false, "remaining_micros_usd": 2}}}',
            b'{"data": [{"date": "2026-06-01", "cost_micros_usd": 3, "model": "x"}]}',
        ],
    ),
    Target(
        "machines", read_machines, [b'{"schema": "provision/fleet-audit/v1", "machines": [], "keys": [], "others": []}']
    ),
    Target("validation", read_validation, [b'{"schema": "provision/validate/v1", "users": []}']),
    Target(
        "stream",
        lambda data: list(read_stream(io.BytesIO(data), 1 << 16)),
        [sign_text(b"{}\n", KEY, "x") * 2],
    ),
    Target(
        "route",
        _route,
        [
            (FORMATS / "bundle" / "config.yaml").read_bytes() + b"\0AISA_API_KEY=x\n",
            HOME,
        ],
    ),
)
