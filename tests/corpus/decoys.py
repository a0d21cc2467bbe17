"""What looks like a secret and is none. Every report from here is false."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import TYPE_CHECKING

from corpus.kinds import ALNUM, HEX, text

if TYPE_CHECKING:
    from corpus.truth import Writer


def _sha(w: Writer, name: str = "sha256") -> bytes:
    return hashlib.new(name, str(w.rng.random()).encode()).digest()


def plant_decoys(w: Writer) -> None:
    """Placeholders, references, masks, hashes, lock files, UUIDs, public keys, class names, code."""
    w.write(
        ".env.example",
        "AISA_API_KEY=sk-aisa-...\nOPENAI_API_KEY=sk-your-openai-api-key-here\n"
        "ANTHROPIC_API_KEY=sk-ant-api03-xxxxxxxxxxxxxxxxxxxxxxxx\nDB_PASSWORD=changeme\n"
        "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nAWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n"
        "SECRET_KEY=<insert-your-secret-key>\nTOKEN=${GH_TOKEN}\n"
        'API_KEY=your_api_key_here\nPASSWORD=""\nSLACK_BOT_TOKEN=xoxb-your-bot-token\n'
        "DATABASE_URL=postgres://user:password@localhost:5432/db\n",
    )
    w.write(
        "config.yaml",
        "model:\n  api_key: ${AISA_API_KEY}\n  other: sk-a...WXYZ\n"
        "providers:\n  aisa: {key_env: AISA_API_KEY, api_key_env: AISA_API_KEY}\n"
        "password: '********'\ntoken: !vault |\nsecret: {{ lookup('env') }}\n",
    )
    packages = {
        f"node_modules/p{n}": {
            "resolved": f"https://registry.npmjs.org/p{n}/-/p{n}-1.0.{n}.tgz",
            "integrity": "sha512-" + base64.b64encode(_sha(w, "sha512")).decode(),
        }
        for n in range(60)
    }
    w.write("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": packages}, indent=2))
    w.write(
        "poetry.lock",
        "".join(
            f'[[package]]\nname = "p{n}"\nfiles = [{{file = "p{n}.whl", hash = "sha256:{_sha(w).hex()}"}}]\n'
            for n in range(60)
        ),
    )
    w.write(
        "go.sum", "".join(f"example.com/m{n} v1.{n}.0 h1:{base64.b64encode(_sha(w)).decode()}\n" for n in range(60))
    )
    w.write(
        "commits.log", "".join(f"commit {_sha(w, 'sha1').hex()}\ntree {_sha(w, 'sha1').hex()}\n" for _ in range(60))
    )
    w.write(
        "checksums.txt", "".join(f"{_sha(w).hex()}  file{n}.tar.gz\n{_sha(w, 'md5').hex()} *f{n}\n" for n in range(40))
    )
    ids = [str(uuid.UUID(int=w.rng.getrandbits(128), version=4)) for _ in range(60)]
    w.write(
        "events.jsonl",
        "".join(
            json.dumps(
                {
                    "id": i,
                    "session_id": ids[0],
                    "request_token_count": 17,
                    "trace": _sha(w).hex()[:32],
                    "etag": f'W/"{_sha(w, "md5").hex()}"',
                }
            )
            + "\n"
            for i in ids
        ),
    )
    w.write(
        "keys.pub",
        f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{text(w.rng, ALNUM, 43)} me\n"
        f"age1{text(w.rng, 'qpzry9x8gf2tvdw0s3jn54khce6mua7l', 58)}\n"
        f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB{text(w.rng, ALNUM + '+/', 340)} x\n",
    )
    w.write(
        "cert.pem",
        "-----BEGIN CERTIFICATE-----\n"
        + "\n".join(text(w.rng, ALNUM + "+/", 64) for _ in range(12))
        + "\n-----END CERTIFICATE-----\n-----BEGIN PUBLIC KEY-----\n"
        + text(w.rng, ALNUM, 64)
        + "\n-----END PUBLIC KEY-----\n",
    )
    w.write(
        "style.css",
        ".sk-circle-fade-dot-before{a:b}.sk-chasing-dot-animation-delay{c:d}.task-list-item-with-a-very-long-name{}\n"
        * 5,
    )
    w.write(
        "code.py",
        "token = parser.next_token\npassword = getpass.getpass('Password: ')\napi_key = "
        "os.environ['AISA_API_KEY']\nsecret = settings.SECRET_KEY\nself.token = token\n"
        "def f(token: str, password=None, api_key=DEFAULT_API_KEY): ...\ncache_key = 'user_profile_settings_v2'\n"
        "TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'\n"
        "token_url='https://auth.example.com/oauth2/token'\nsecret_name = 'prod/database/main-password'\n"
        "if 'BEGIN PRIVATE KEY' in text: fail('-----BEGIN PRIVATE KEY-----')\n",
    )
    w.write(
        "app.min.js",
        f'e.exports={{tokenType:"Bearer",passwordField:"password1",csrfToken:n.token,'
        f'publicKey:"{text(w.rng, ALNUM, 43)}=",hash:"{text(w.rng, HEX, 20)}"}};' * 3,
    )
    w.write(
        "picture.svg",
        f'<image href="data:image/png;base64,{base64.b64encode(w.rng.randbytes(6000)).decode()}"/>',
    )
    w.write("noise.wav", b"RIFF\0\0\0\0WAVEfmt " + w.rng.randbytes(200_000))
    w.write(
        "table.sql",
        "".join(
            f"INSERT INTO users VALUES ({n}, 'u{n}@example.com', '$2b$12${text(w.rng, ALNUM + './', 53)}');\n"
            for n in range(30)
        ),
    )
