"""Secrets in text: configuration of every syntax, logs, code, encodings, broken lines, colours, chunk borders."""

from __future__ import annotations

import base64
import json
import urllib.parse
from typing import TYPE_CHECKING

from corpus.kinds import Kind, password, pem

if TYPE_CHECKING:
    from collections.abc import Callable

    from corpus.truth import Writer

_WORDS = [
    "request",
    "retry",
    "model",
    "stream",
    "session",
    "gateway",
    "cache",
    "reply",
    "tool",
    "chunk",
    "route",
    "agent",
    "user",
    "prompt",
    "config",
    "worker",
    "batch",
]
MIB = 1 << 20


def chatter(w: Writer, lines: int = 6) -> str:
    """Log lines without any secret."""
    return "".join(
        f"2026-0{w.rng.randint(1, 9)}-1{w.rng.randint(0, 9)} 10:{w.rng.randint(10, 59)}:01,113 "
        f"INFO {' '.join(w.rng.sample(_WORDS, 4))} "
        f"id={w.rng.randrange(10**6)} took={w.rng.random():.3f}s\n"
        for _ in range(lines)
    )


def both(w: Writer) -> tuple[Kind, Kind]:
    """A key that the vault knows and a secret that nobody knows."""
    return w.known(), w.any()


def dotenv(w: Writer) -> None:
    a, b = both(w)
    c = w.any()
    w.write(
        ".env",
        f"# keys\n{a.variable}={a.value}\nDEBUG=1\n{b.variable}='{b.value}'\nexport MY_{c.variable}={c.value}\nPORT=8080\n",
        a,
        b,
        c,
    )


def yaml(w: Writer) -> None:
    a, b = both(w)
    c = w.any()
    w.write(
        "config.yaml",
        f"model:\n  default: gpt-5.2\n  base_url: https://api.aisa.one/v1\n  api_key: {a.value}\nservices:\n  - "
        f'name: search\n    {b.variable.lower()}: "{b.value}"\n'
        f"    timeout: 30\n  - {{name: mail, {c.variable.lower()}: '{c.value}'}}\n",
        a,
        b,
        c,
    )


def json_file(w: Writer) -> None:
    a, b = both(w)
    w.write(
        "settings.json",
        json.dumps(
            {"env": {a.variable: a.value}, "providers": [{"id": "x", "apiKey": b.value, "timeout": 3}]}, indent=2
        ),
        a,
        b,
    )


def toml(w: Writer) -> None:
    a, b = both(w)
    w.write(
        "config.toml",
        f'[model]\nname = "m"\napi_key = "{a.value}"\n\n[other.auth]\n{b.variable.lower()} = \'{b.value}\'\nretries = 3\n',
        a,
        b,
    )


def ini(w: Writer) -> None:
    a, b = both(w)
    w.write("app.ini", f"[aisa]\napi_key={a.value}\n[db]\nhost = h\npassword = {b.value}\n", a, b)


def shell(w: Writer) -> None:
    a, b = both(w)
    w.write(
        "run.sh",
        f'#!/bin/sh\nset -eu\nexport {a.variable}="{a.value}"\n{b.variable}={b.value} ./start --port 80\ncurl -s '
        f"https://h/v1/models\n",
        a,
        b,
    )


def history(w: Writer) -> None:
    a, b = both(w)
    c = w.token()
    w.write(
        ".bash_history",
        f"ls -la\nhermes config set AISA_API_KEY {a.value}\ncd src\nhermes auth add custom:aisa --type "
        f"api-key --api-key {b.value}\n"
        f'curl -H "Authorization: Bearer {c.value}" https://api.aisa.one/v1/models\nexit\n',
        a,
        b,
        c,
    )


def url(w: Writer) -> None:
    a, b = both(w)
    q = urllib.parse.quote(b.value, safe="-_.~")
    w.write(
        "access.log",
        chatter(w) + f'10.0.0.1 - - "GET /v1/chat?key={a.value}&alt=sse HTTP/1.1" 200 12\n'
        f'10.0.0.2 - - "GET /q?access_token={q}&p=1 HTTP/1.1" 200\n',
        a,
        b,
    )


def header(w: Writer) -> None:
    a, b = both(w)
    c = w.token()
    w.write(
        "dump.txt",
        f"POST /v1/messages HTTP/1.1\r\nHost: api.aisa.one\r\nx-api-key: {a.value}\r\nX-Auth-Token: {b.value}\r\n"
        f"Authorization: Bearer {c.value}\r\n\r\n{{}}",
        a,
        b,
        c,
    )


def code(w: Writer) -> None:
    a, b = both(w)
    w.write(
        "client.py",
        f'import os\n\nclient = Client(api_key="{a.value}", timeout=3)\nTOKEN = os.environ.get("X_TOKEN")\n'
        f'password = "{b.value}"\n\n\ndef f(token):\n    return token.value\n',
        a,
        b,
    )


def xml(w: Writer) -> None:
    a, b = both(w)
    w.write(
        "web.config",
        f'<config>\n  <add key="ApiKey" value="{a.value}"/>\n  <password>{b.value}</password>\n  <port>80</port>\n'
        f"</config>\n",
        a,
        b,
    )


def kubernetes(w: Writer) -> None:
    a, b = both(w)
    c = w.token()
    w.write(
        "pod.yaml",
        f"kind: Pod\nspec:\n  env:\n  - name: {a.variable}\n    value: {a.value}\n  - name: {b.variable}\n    "
        f'value: "{b.value}"\n---\nkind: Secret\ndata:\n  key: {base64.b64encode(c.value.encode()).decode()}\n',
        a,
        b,
        c,
    )


def log(w: Writer) -> None:
    a, b = both(w)
    c = w.token()
    w.write(
        "agent.log",
        chatter(w)
        + f"2026-01-01 ERROR call failed: headers={{'x-api-key': '{a.value}'}}\n"
        + chatter(w)
        + f"WARN reconnecting with token={b.value}, attempt 2\nuser said: my key is {c.value}\n"
        + chatter(w),
        a,
        b,
        c,
    )


def bare(w: Writer) -> None:
    a, b = w.known(), w.token()
    w.write("notes.txt", f"ask ada for the new one\n{a.value}\n\nold: ({b.value})\n", a, b)


def private_key(w: Writer) -> None:
    a, b = pem(w.rng), pem(w.rng)
    w.write("id_ed25519", a.value + "\n", a)
    w.write("service-account.json", json.dumps({"type": "service_account", "private_key": b.value + "\n"}), b)


def dsn(w: Writer) -> None:
    a, b, c = (Kind("dsn", password(w.rng).replace("~", "."), "DATABASE_URL") for _ in range(3))
    w.write(
        "settings.py",
        f'DATABASE_URL = "postgresql://app:{a.value}@db.internal:5432/app?sslmode=require"\n'
        f'CACHE = "redis://:{b.value}@10.0.0.7:6379/0"\n'
        f'REMOTE = "https://deploy:{c.value}@git.corp.example/team/x.git"\n',
        a,
        b,
        c,
    )


def json_escaped(w: Writer) -> None:
    a, b = w.known(), w.token()
    inner = json.dumps({"role": "user", "content": f"my keys:\n{a.value}\n\t{b.value}\n"})
    w.write(
        "trajectory.jsonl",
        json.dumps({"event": "message", "raw": inner}) + "\n" + json.dumps({"body": f"x\n{b.value}"}) + "\n",
        a,
        b,
    )


def unicode_escaped(w: Writer) -> None:
    a, b = w.known(), w.token()
    escaped = "".join(f"\\u{ord(c):04x}" for c in a.value)
    half = b.value[:4] + "".join(f"\\u{ord(c):04x}" if c in "-_:." else c for c in b.value[4:])
    w.write("escaped.json", f'{{"key": "{escaped}", "other": "{half}"}}\n', a, b)
    w.say_forms(a, (escaped,))
    w.say_forms(b, (half,))


def url_encoded(w: Writer) -> None:
    a, b = w.known(), w.token()
    all_of_it = "".join(f"%{ord(c):02X}" for c in a.value)
    some = "".join(c if c.isalnum() else f"%{ord(c):02X}" for c in b.value)
    path = w.path("form.log")
    path.write_text(f"POST body=key%3D{some}%26x%3D1\nreferer=https%3A%2F%2Fh%2F%3Fk%3D{all_of_it}\n")
    w.say(path, a, forms=(all_of_it,))
    w.say(path, b, forms=(some,))


def base64_value(w: Writer) -> None:
    a, b = w.known(), w.token()
    w.write(
        "secret.yaml",
        f"data:\n  one: {base64.b64encode(a.value.encode()).decode()}\n  "
        f"two: {base64.urlsafe_b64encode(b.value.encode()).decode()}\n",
        a,
        b,
    )


def base64_document(w: Writer) -> None:
    a, b = w.known(), w.any()
    inner = f"# generated\n{a.variable}={a.value}\nexport {b.variable}={b.value}\n".encode()
    wrapped = base64.encodebytes(inner).decode()
    path = w.path("cloud-init.txt")
    path.write_text(f"user-data: |\n{wrapped}\npayload={base64.b64encode(b'--' + inner).decode()}\n")
    for secret in (a, b):
        w.say(
            path,
            secret,
            forms=(*wrapped.splitlines(), base64.b64encode(b"--" + inner).decode()),
        )


def hexadecimal(w: Writer) -> None:
    a, b = w.known(), w.token()
    w.write("dump.hex", f"blob: {a.value.encode().hex()}\nother: {b.value.encode().hex().upper()}\n", a)
    w.say(w.path("dump.hex"), b, forms=(b.value.encode().hex().upper(),))


def utf16(w: Writer) -> None:
    a, b = both(w)
    w.write(
        "export.reg",
        b"\xff\xfe"
        + f'Windows Registry\r\n"{a.variable}"="{a.value}"\r\n"{b.variable}"="{b.value}"\r\n'.encode("utf-16-le"),
        a,
        b,
    )
    c = w.token()
    w.write("plain.txt", b"\xfe\xff" + f"key {c.value}\n".encode("utf-16-be"), c)


def _wrapped(w: Writer, name: str, columns: int) -> None:
    a, b = w.known(), w.token()
    text = ""
    for secret in (a, b):
        inset = columns - w.rng.randint(9, max(10, min(len(secret.value) - 9, 40)))
        before = "x" * 3 + " " + "error: key " + "=" * max(0, inset - 16) + " "
        line = before + secret.value + " was refused"
        text += "\n".join(line[at : at + columns] for at in range(0, len(line), columns)) + "\n"
    w.write(name, chatter(w, 2) + text + chatter(w, 2), a, b)
    for secret in (a, b):
        pieces = tuple(
            piece for line in text.splitlines() for piece in line.split() if len(piece) >= 8 and piece in secret.value
        )
        w.say_forms(secret, pieces)


def wrapped_60(w: Writer) -> None:
    _wrapped(w, "terminal.txt", 60)


def wrapped_80(w: Writer) -> None:
    _wrapped(w, "terminal.txt", 80)


def coloured(w: Writer) -> None:
    a, b = w.known(), w.token()
    text = ""
    for secret in (a, b):
        at = w.rng.randint(6, len(secret.value) - 6)
        text += f"\x1b[2mkey:\x1b[0m \x1b[32m{secret.value[:at]}\x1b[1;33m{secret.value[at:]}\x1b[0m ok\r\n"
        w.say_forms(secret, (secret.value[:at], secret.value[at:]))
    w.write("session.typescript", chatter(w, 2) + text, a, b)


def chunk_borders(w: Writer) -> None:
    """One line of 3 MiB in which each key lies across a border of 1 MiB (or 64 KiB) chunks."""
    filling = bytearray(b'{"a":[0,1,2,"lorem ipsum dolor"],"b":null},' * (3 * MIB // 43 + 1))
    secrets = [w.known(), w.token(), w.token(), w.known()]
    for secret, border in zip(secrets, (MIB, 2 * MIB, MIB + 65536, 2 * MIB + 65536), strict=True):
        raw = f'"{secret.value}"'.encode()
        at = border - w.rng.randint(1, len(raw) - 1)
        filling[at : at + len(raw)] = raw
    w.write("one-line.json", bytes(filling), *secrets)


def long_line(w: Writer) -> None:
    a, b = both(w)
    w.write("bundle.min.js", "var x=1;" * 9000 + f'c={{apiKey:"{a.value}",secret:"{b.value}"}};' + "y(2);" * 9000, a, b)


def binary(w: Writer) -> None:
    a, b = w.known(), w.token()
    noise = w.rng.randbytes(3000)
    first, second = (b"\0" + each.value.encode() + b"\0" + noise for each in (a, b))
    w.write("core.bin", b"\x7fELF\2\1\1\0" + noise + first + second, a, b)


def glued(w: Writer) -> None:
    """A known key between other key characters, where only its value can tell it."""
    a = w.known()
    w.write("cache.idx", f"ns/3fA_{a.value}-tail99/x\n", a)


TEXT_LANES: tuple[Callable[[Writer], None], ...] = (
    dotenv, yaml, json_file, toml, ini, shell, history, url, header, code, xml, kubernetes, log, bare, private_key, dsn,
    json_escaped, unicode_escaped, url_encoded, base64_value, base64_document, hexadecimal, utf16,
    wrapped_60, wrapped_80, coloured,
    chunk_borders,
    long_line, binary, glued,
)  # fmt: skip
