"""How secrets of each kind are made, by what their issuers publish about them. Values come from the seed only."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

ALNUM = ascii_letters + digits
URLSAFE = ALNUM + "-_"
HEX = "0123456789abcdef"
BASE32 = ascii_uppercase + "234567"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"


@dataclass(frozen=True, slots=True)
class Kind:
    """A secret and the environment variable in which people keep one like it."""

    name: str
    value: str
    variable: str


def text(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def known_key(rng: random.Random) -> Kind:
    """A key of the gateway; one in six is of the older form without its own prefix."""
    old = rng.random() < 1 / 6
    return Kind("aisa-known", ("sk-" if old else "sk-" + "aisa-") + text(rng, URLSAFE, 43), "AISA_API_KEY")


def password(rng: random.Random) -> str:
    """As password managers make them: 14 to 24 characters of four kinds, none with the three stars or dots of a mask."""
    alphabet = ALNUM + "!*-_.+~"
    while True:
        made = rng.choice(ascii_letters) + text(rng, alphabet, rng.randint(13, 23))
        if (
            all(any(c in kind for c in made) for kind in (ascii_lowercase, ascii_uppercase, digits))
            and made[-1].isalnum()
            and not re.search(r"\*{3}|\.{3}", made)
        ):
            return made


def _jwt(rng: random.Random) -> str:
    parts = (
        json.dumps({"alg": "HS256", "typ": "JWT"}),
        json.dumps({"sub": text(rng, digits, 10), "iat": rng.randrange(10**9)}),
    )
    return (
        ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)
        + "."
        + text(rng, URLSAFE, 43)
    )


def _slack(rng: random.Random) -> str:
    return "xo" + "xb-" + f"{text(rng, digits[1:], 12)}-{text(rng, digits[1:], 13)}-{text(rng, ALNUM, 24)}"


def _discord(rng: random.Random) -> str:
    user = base64.b64encode(str(rng.randrange(10**17, 10**18)).encode()).decode().rstrip("=")
    return f"{user}.{text(rng, URLSAFE, 6)}.{text(rng, URLSAFE, 38)}"


TOKENS: tuple[tuple[str, str, Callable[[random.Random], str]], ...] = (
    ("aisa", "AISA_API_KEY", lambda r: "sk-" + "aisa-" + text(r, URLSAFE, 43)),
    ("sk", "LLM_KEY", lambda r: "sk-" + text(r, ALNUM, r.choice((24, 32, 40)))),
    ("openai", "OPENAI_API_KEY", lambda r: "sk-" + "proj-" + text(r, URLSAFE, 74) + "T3Blbk" + "FJ" + text(r, URLSAFE, 74)),
    ("anthropic", "ANTHROPIC_API_KEY", lambda r: "sk-" + "ant-api03-" + text(r, URLSAFE, 93) + "AA"),
    ("openrouter", "OPENROUTER_API_KEY", lambda r: "sk-" + "or-v1-" + text(r, HEX, 64)),
    ("google", "GEMINI_API_KEY", lambda r: "AI" + "za" + "Sy" + text(r, URLSAFE, 33)),
    ("xai", "XAI_API_KEY", lambda r: "xa" + "i-" + text(r, ALNUM, 80)),
    ("deepseek", "DEEPSEEK_API_KEY", lambda r: "sk-" + text(r, HEX, 32)),
    ("moonshot", "MOONSHOT_API_KEY", lambda r: "sk-" + text(r, ALNUM, 48)),
    ("groq", "GROQ_API_KEY", lambda r: "gs" + "k_" + text(r, ALNUM, 52)),
    ("huggingface", "HF_TOKEN", lambda r: "h" + "f_" + text(r, ascii_letters, 34)),
    ("github", "GITHUB_TOKEN", lambda r: "gh" + "p_" + text(r, ALNUM, 36)),
    ("github-fine", "GH_TOKEN", lambda r: "github" + "_pat_" + text(r, ALNUM, 22) + "_" + text(r, ALNUM, 59)),
    ("gitlab", "GITLAB_TOKEN", lambda r: "gl" + "pat-" + text(r, URLSAFE, 20)),
    ("slack", "SLACK_BOT_TOKEN", _slack),
    ("telegram", "TELEGRAM_BOT_TOKEN", lambda r: f"{r.randrange(10**9, 10**10)}:" + "AA" + text(r, URLSAFE, 33)),
    ("discord", "DISCORD_BOT_TOKEN", _discord),
    ("aws-id", "AWS_ACCESS_KEY_ID", lambda r: "AK" + "IA" + text(r, BASE32, 16)),
    ("age", "SOPS_AGE_KEY", lambda r: "AGE-SECRET-" + "KEY-1" + text(r, BECH32, 58)),
    ("jwt", "SESSION_TOKEN", _jwt),
    ("npm", "NPM_TOKEN", lambda r: "np" + "m_" + text(r, ALNUM, 36)),
    ("pypi", "TWINE_PASSWORD", lambda r: "py" + "pi-AgEIcHlwaS5vcmc" + text(r, URLSAFE, 140)),
    ("stripe", "STRIPE_SECRET_KEY", lambda r: "sk" + "_live_" + text(r, ALNUM, 24)),
    ("vault", "VAULT_TOKEN", lambda r: "hv" + "s." + text(r, URLSAFE, 95)),
)  # fmt: skip

OPAQUE: tuple[tuple[str, str, Callable[[random.Random], str]], ...] = (
    ("aws-secret", "AWS_SECRET_ACCESS_KEY", lambda r: text(r, ALNUM + "+/", 40)),
    ("hex", "MISTRAL_API_KEY", lambda r: text(r, HEX, 32)),
    ("hex-long", "TOGETHER_API_KEY", lambda r: text(r, HEX, 64)),
    ("alnum", "COHERE_API_KEY", lambda r: text(r, ALNUM, 40)),
    ("alnum-short", "WEATHER_API_KEY", lambda r: text(r, ALNUM, 24)),
    ("password", "DB_PASSWORD", password),
    ("urlsafe", "CLIENT_SECRET", lambda r: text(r, URLSAFE, 43)),
)


def unknown(rng: random.Random, *, tokens_only: bool = False) -> Kind:
    """One secret of any kind, each as likely as the other."""
    name, variable, make = rng.choice(TOKENS if tokens_only else (*TOKENS, *OPAQUE))
    return Kind(name, make(rng), variable)


def pem(rng: random.Random) -> Kind:
    """A private key of OpenSSH's form, as random as a real one, and as useless as any random bytes."""
    body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB" + text(rng, ALNUM + "+/", 360)
    lines = "\n".join(body[at : at + 70] for at in range(0, len(body), 70))
    begin, end = "-----BEGIN OPENSSH ", "-----END OPENSSH "
    return Kind("pem", f"{begin}PRIVATE KEY-----\n{lines}\n{end}PRIVATE KEY-----", "SSH_PRIVATE_KEY")
