"""Tokens of more services, each with a prefix of its own; shapes as their issuers and other scanners' manuals describe them.

A row is a rule: id, what it finds, the keywords, the expression for the token, and an example as pieces of text and fillers.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from provision.detect.entropy import word_share
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule
from provision.detect.rules.pieces import ALNUM, BASE32, HEX, LOWER, UPPER, URLSAFE, joined_fillers, token_rule

if TYPE_CHECKING:
    from collections.abc import Callable

_Pieces = tuple[tuple[str, str, int], ...]
_BASE64 = ALNUM + "+/"
_AGENT_TOOLS = (
    ("fal-key", "fal.ai key", "fal_"), ("exa-key", "Exa key", "exa_"), ("matrix-token", "Matrix access token", "syt_"),
    ("retaindb-key", "RetainDB key", "retaindb_"), ("hindsight-key", "Hindsight key", "hsk-"), ("mem0-key", "Mem0 key", "mem0_"),
    ("byterover-key", "ByteRover key", "brv_"), ("agentmail-key", "AgentMail key", "am_"),
    ("fireworks-project-key", "Fireworks project key", "fpk_"), ("fireworks-dash-key", "Fireworks key", "fw-"),
)  # fmt: skip
"""Keys of services that agents call; their length is not documented."""
_ROWS: tuple[tuple[str, str, str, str, _Pieces], ...] = (
    ("adafruit-key", "Adafruit IO key", "aio_", r"aio_[A-Za-z0-9]{28}\b", (("aio_", ALNUM, 28),)),
    ("adobe-secret", "Adobe client secret", "p8e-", r"p8e-[A-Za-z0-9]{32}\b", (("p8e-", HEX, 32),)),
    ("alibaba-key-id", "Alibaba Cloud access key id", "ltai", r"LTAI[A-Za-z0-9]{20}\b", (("LTAI", ALNUM, 20),)),
    ("apify-token", "Apify API token", "apify_api_", r"apify_api_[A-Za-z0-9]{36}", (("apify_api_", ALNUM, 36),)),
    ("asana-token", "Asana personal access token", "1/1 2/1", r"[12]/1\d{15,16}(?:/1\d{15,16})?:[0-9a-f]{32}\b",
     (("2/1", "0123456789", 15), (":", HEX, 32))),
    ("azure-devops-token", "Azure DevOps personal access token", "azdo", r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}\b",
     (("", ALNUM, 76), ("AZDO", ALNUM, 4))),
    ("braintree-token", "Braintree access token", "access_token$",
     r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}",
     (("access_token$production$", LOWER, 16), ("$", HEX, 32))),
    ("brave-key", "Brave Search API key", "bsa", r"BSA[A-Za-z0-9_-]{27,29}\b", (("BSA", ALNUM, 28),)),
    ("brevo-key", "Brevo API key", "xkeysib-",
     r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}", (("xkeysib-", HEX, 64), ("-", ALNUM, 16))),
    ("buildkite-token", "Buildkite token", "bkua_ bkaa_", r"bk[ua]a_[0-9a-f]{40}", (("bkua_", HEX, 40),)),
    ("circleci-token", "CircleCI token", "ccipat_ ccipr_", r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[0-9a-f]{40}",
     (("CCIPAT_", ALNUM, 22), ("_", HEX, 40))),
    ("clickup-token", "ClickUp personal token", "pk_", r"pk_\d{6,9}_[A-Z0-9]{32}\b",
     (("pk_", "0123456789", 8), ("_", UPPER, 32))),
    ("clojars-token", "Clojars deploy token", "clojars_", r"CLOJARS_[0-9a-z]{60}", (("CLOJARS_", LOWER, 60),)),
    ("contentful-token", "Contentful token", "cfpat-", r"CFPAT-[A-Za-z0-9_-]{43}", (("CFPAT-", URLSAFE, 43),)),
    ("dependency-track-key", "Dependency-Track key", "odt_", r"odt_[A-Za-z0-9]{32,60}", (("odt_", ALNUM, 32),)),
    ("dropbox-token", "Dropbox access token", "sl.", r"sl\.[A-Za-z0-9_-]{130,200}", (("sl.", URLSAFE, 136),)),
    ("duffel-token", "Duffel token", "duffel_", r"duffel_(?:test|live)_[A-Za-z0-9_-]{43}", (("duffel_live_", URLSAFE, 43),)),
    ("dynatrace-token", "Dynatrace token", "dt0c01. dt0s01. dt0s16.", r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
     (("dt0c01.", UPPER, 24), (".", UPPER, 64))),
    ("easypost-key", "EasyPost key", "ezak eztk", r"EZ[AT]K[A-Za-z0-9]{54}", (("EZAK", ALNUM, 54),)),
    ("facebook-token", "Facebook access token", "eaa", r"EAA[A-Z0-9][A-Za-z0-9]{60,300}", (("EAACEd", ALNUM, 120),)),
    ("flutterwave-key", "Flutterwave secret key", "flwseck", r"FLWSECK(?:_TEST)?-[0-9a-f]{32}-X\b",
     (("FLWSECK-", HEX, 32), ("-X", "a", 0))),
    ("fly-token", "Fly.io token", "fo1_ fm1r_ fm1a_ fm2_",
     r"(?:fo1_[A-Za-z0-9_-]{43}|fm(?:1[ar]|2)_[A-Za-z0-9+/]{100,400}={0,3})",
     (("fo1_", URLSAFE, 43),)),
    ("frameio-token", "Frame.io token", "fio-u-", r"fio-u-[A-Za-z0-9_-]{64}", (("fio-u-", URLSAFE, 64),)),
    ("google-refresh-token", "Google refresh token", "1//0", r"1//0[A-Za-z0-9_-]{40,120}", (("1//0", URLSAFE, 60),)),
    ("hubspot-token", "HubSpot private app token", "pat-na pat-eu pat-ap",
     r"pat-(?:na|eu|ap)\d-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
     (("pat-na1-", HEX, 8), ("-", HEX, 4), ("-", HEX, 4), ("-", HEX, 4), ("-", HEX, 12))),
    ("infracost-key", "Infracost API key", "ico-", r"ico-[A-Za-z0-9]{32}\b", (("ico-", ALNUM, 32),)),
    ("intra42-secret", "Intra 42 client secret", "s-s4t2", r"s-s4t2(?:ud|af)-[0-9a-f]{64}", (("s-s4t2ud-", HEX, 64),)),
    ("linear-oauth-token", "Linear OAuth token", "lin_oauth_", r"lin_oauth_[0-9a-f]{64}", (("lin_oauth_", HEX, 64),)),
    ("mapbox-token", "Mapbox secret token", "sk.eyj", r"sk\.eyJ[A-Za-z0-9_-]{40,120}\.[A-Za-z0-9_-]{20,40}",
     (("sk.eyJ", URLSAFE, 60), (".", URLSAFE, 22))),
    ("maxmind-key", "MaxMind license key", "_mmk",
     r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk", (("", ALNUM, 6), ("_", ALNUM, 29), ("_mmk", "a", 0))),
    ("mongodb-atlas-secret", "MongoDB Atlas service account secret", "mdb_sa_sk_",
     r"mdb_sa_sk_[A-Za-z0-9_-]{40}", (("mdb_sa_sk_", URLSAFE, 40),)),
    ("netlify-token", "Netlify token", "nfp_ nfc_ nfo_ nfu_", r"nf[pcou]_[A-Za-z0-9]{36}", (("nfp_", ALNUM, 36),)),
    ("nuget-key", "NuGet API key", "oy2", r"oy2[a-z0-9]{43}\b", (("oy2", LOWER, 43),)),
    ("octopus-key", "Octopus Deploy API key", "api-", r"API-[A-Z0-9]{26,32}\b", (("API-", UPPER, 28),)),
    ("onepassword-secret-key", "1Password secret key", "a3-",
     r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
     (("A3-", UPPER, 6), ("-", UPPER, 6), ("-", UPPER, 5), ("-", UPPER, 5), ("-", UPPER, 5), ("-", UPPER, 5))),
    ("openshift-token", "OpenShift token", "sha256~", r"sha256~[A-Za-z0-9_-]{43}", (("sha256~", URLSAFE, 43),)),
    ("planetscale-token", "PlanetScale token or password", "pscale_",
     r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,64}", (("pscale_tkn_", URLSAFE, 43),)),
    ("posthog-key", "PostHog personal API key", "phx_", r"phx_[A-Za-z0-9_]{43,48}", (("phx_", ALNUM, 43),)),
    ("prefect-key", "Prefect API key", "pnu_ pnb_", r"pn[ub]_[A-Za-z0-9]{36}", (("pnu_", ALNUM, 36),)),
    ("readme-key", "ReadMe API key", "rdme_", r"rdme_[a-z0-9]{70}", (("rdme_", LOWER, 70),)),
    ("render-key", "Render API key", "rnd_", r"rnd_[A-Za-z0-9]{28,32}\b", (("rnd_", ALNUM, 28),)),
    ("resend-key", "Resend API key", "re_", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}\b", (("re_", ALNUM, 8), ("_", ALNUM, 24))),
    ("segment-token", "Segment public API token", "sgp_", r"sgp_[A-Za-z0-9]{64}\b", (("sgp_", ALNUM, 64),)),
    ("shippo-token", "Shippo token", "shippo_", r"shippo_(?:live|test)_[0-9a-fA-F]{40}", (("shippo_live_", HEX, 40),)),
    ("sonar-token", "SonarQube or SonarCloud token", "sqp_ squ_ sqa_", r"sq[pua]_[0-9a-f]{40}", (("squ_", HEX, 40),)),
    ("sourcegraph-token", "Sourcegraph token", "sgp_ slk_ sgd_",
     r"(?:sgp_(?:(?:[0-9a-fA-F]{16}|local)_)?[0-9a-fA-F]{40}\b|s(?:lk|gd)_[0-9a-f]{64})",
     (("sgp_", HEX, 16), ("_", HEX, 40))),
    ("square-access-token", "Square access token", "eaaa", r"EAAA[A-Za-z0-9_-]{60}\b", (("EAAA", URLSAFE, 59), ("", ALNUM, 1))),
    ("tailscale-key", "Tailscale key", "tskey-", r"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{6,24}-[A-Za-z0-9]{20,60}",
     (("tskey-auth-k", ALNUM, 10), ("-", ALNUM, 32))),
    ("telnyx-key", "Telnyx API key", "key0", r"KEY0[0-9A-Za-z]{31}_[0-9A-Za-z_-]{22}\b", (("KEY0", ALNUM, 31), ("_", ALNUM, 22))),
    ("typeform-token", "Typeform token", "tfp_", r"tfp_[A-Za-z0-9_.-]{40,70}", (("tfp_", ALNUM, 44),)),
    ("vercel-token", "Vercel token or AI gateway key", "vck_ vcp_ vci_ vca_ vcr_",
     r"vc[kpiar]_[A-Za-z0-9]{24,90}", (("vck_", ALNUM, 56),)),
)  # fmt: skip


_BEFORE = (" ", '"', "'", "=", ":", "\n")
_SHORT = frozenset(
    {
        "bsa",
        "eaa",
        "eaaa",
        "sl.",
        "api-",
        "a3-",
        "key0",
        "oy2",
        "rnd_",
        "re_",
        "am_",
        "fw-",
        "exa_",
        "nfp_",
        "nfc_",
        "nfo_",
        "nfu_",
    }
)
"""Prefixes that are also in the middle of words: they count only where a word begins."""


def _keywords(words: str) -> tuple[str, ...]:
    return tuple(
        each for word in words.split() for each in ([lead + word for lead in _BEFORE] if word in _SHORT else [word])
    )


def _row(name: str, description: str, words: str, body: str, pieces: _Pieces) -> Rule:
    made = token_rule(name, description, words, body, partial(joined_fillers, ("see ", "", 0), *pieces), reach=640)
    return replace(made, keywords=_keywords(words))


def _agent_tool(name: str, description: str, prefix: str) -> Rule:
    """A key of which only the prefix is known: 24 or more letters and digits that are no words."""
    return Rule(
        id=name,
        description=description,
        severity=FindingSeverity.HIGH,
        confidence=Confidence.MEDIUM,
        keywords=_keywords(prefix),
        pattern=rf"(?:^|[^0-9A-Za-z_-]|\\[nrt])(?P<secret>{prefix}[A-Za-z0-9][A-Za-z0-9_-]{{19,200}})",
        gate=rf"{prefix}[A-Za-z0-9][A-Za-z0-9_-]{{19}}",
        entropy=3.6,
        examples=(partial(joined_fillers, (f"see {prefix}", ALNUM, 32)),),
        counter_examples=(f"{prefix}get_the_next_element_of_list", f"{prefix}{'x' * 32}"),
        accept=_mixed,
    )


def _mixed(value: bytes) -> bool:
    text = value.decode("latin-1")
    return any(map(str.isdigit, text[4:])) and any(map(str.isupper, text)) and word_share(text) < 0.4


def _two_halves(value: bytes) -> bool:
    """Return whether the second half has letters of both cases and digits, as keys have and names of files have not."""
    return _mixed(value[33:]) and any(each.islower() for each in value[33:].decode("latin-1"))


def _in_address(name: str, description: str, word: str, pattern: str, example: Callable[[], str], *no: str) -> Rule:
    """A secret that is part of an address."""
    return Rule(
        id=name,
        description=description,
        severity=FindingSeverity.MEDIUM if "signed" in name else FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        keywords=("?sig=", "&sig=", ";sig=") if word == "sig=" else (word,),
        pattern=pattern,
        examples=(example,),
        counter_examples=no,
        entropy=3.0,
        reach=900,
    )


RULES: tuple[Rule, ...] = (
    *(_row(*row) for row in _ROWS),
    *(_agent_tool(*each) for each in _AGENT_TOOLS),
    Rule(
        id="ollama-cloud-key",
        description="Ollama Cloud key",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        keywords=(),
        mark=("[0-9a-f]" * 32 + "[.]" + "[A-Za-z0-9_-]" * 8, 41),
        pattern=r"\b(?P<secret>[0-9a-f]{32}\.[A-Za-z0-9_-]{24})(?:[^A-Za-z0-9_.-]|$)",
        examples=(partial(joined_fillers, ("see ", HEX, 32), (".", ALNUM, 24)),),
        counter_examples=("d41d8cd98f00b204e9800998ecf8427e.chunk-vendors-application", "0" * 32 + "." + "x" * 24),
        accept=_two_halves,
        reach=128,
    ),
    token_rule(
        "bedrock-key",
        "Amazon Bedrock API key",
        "absk bedrock-api-key-",
        r"(?:ABSK[A-Za-z0-9+/]{109,269}={0,2}|bedrock-api-key-[A-Za-z0-9+/]{100,800}={0,2})",
        partial(joined_fillers, ("ABSK", _BASE64, 128)),
        severity=FindingSeverity.CRITICAL,
        reach=1000,
    ),
    Rule(
        id="facebook-app-token",
        description="Facebook app access token",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        keywords=("facebook", "fb_"),
        pattern=r"(?i:facebook|\bfb_)[^\r\n]{0,60}?(?P<secret>\b\d{15,16}(?:\||%7C)[A-Za-z0-9_-]{27})\b",
        gate=r"[0-9]{15}(?:\||%7C)[A-Za-z0-9_-]{27}",
        examples=(partial(joined_fillers, ("facebook 1308742762612587|", URLSAFE, 26), ("", ALNUM, 1)),),
        counter_examples=("facebook 1308742762612587|" + "x" * 27,),
    ),
    Rule(
        id="nats-seed",
        description="NATS NKey seed",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        keywords=(),
        mark=("S[UAONCX]" + "[A-Z2-7]" * 56, 58),
        pattern=r"\b(?P<secret>S[UAONCX][A-Z2-7]{56})\b",
        entropy=3.5,
        examples=(
            partial(joined_fillers, ("-----BEGIN USER NKEY SEED-----\nSUA", BASE32, 55)),
            partial(joined_fillers, ("const seed = &#39;SUA", BASE32, 55), ("&#39;", "a", 0)),
        ),
        counter_examples=("nats seed: SU" + "A" * 56,),
        reach=128,
    ),
    Rule(
        id="pkcs12",
        description="PKCS #12 container in base64",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        keywords=("ibazcc",),
        pattern=r"(?:^|[^A-Za-z0-9+/])(?P<secret>MII[A-Za-z0-9+/]{3}IBAzCC[A-Za-z0-9+/]{40,1000}={0,2})",
        gate=r"MII[A-Za-z0-9+/]{3}IBAzCC[A-Za-z0-9+/]{40}",
        examples=(partial(joined_fillers, ("pfx: MIIJqQIBAzCC", _BASE64, 120)),),
        counter_examples=("MIIJqQIBAzCC" + "A" * 60,),
        entropy=3.0,
        reach=1100,
    ),
    _in_address(
        "teams-webhook",
        "Microsoft Teams webhook",
        "incomingwebhook/",
        r"(?i:webhook(?:\.office\.com|b2)?/[0-9a-z@.-]{36,80}/IncomingWebhook/)(?P<secret>[0-9a-f]{32}/[0-9a-f-]{36})",
        partial(
            joined_fillers,
            ("https://x.webhook.office.com/webhookb2/9da5da9c-4218-4c22-aed6-b5c8baebfff5@x/IncomingWebhook/", HEX, 32),
            ("/", HEX, 8),
            ("-", HEX, 4),
            ("-", HEX, 4),
            ("-", HEX, 4),
            ("-", HEX, 12),
        ),
        "https://x.webhook.office.com/webhookb2/id/IncomingWebhook/token/id",
    ),
    _in_address(
        "tines-webhook",
        "Tines webhook",
        ".tines.com/webhook/",
        r"(?i:\.tines\.com/webhook/)(?P<secret>[0-9a-f]{32}/[0-9a-f]{32})",
        partial(joined_fillers, ("https://corp.tines.com/webhook/", HEX, 32), ("/", HEX, 32)),
        "https://corp.tines.com/webhook/path/secret",
    ),
    _in_address(
        "signed-url-azure",
        "Signature of a signed Azure address",
        "sig=",
        r"(?:[?&;]|&amp;)sig=(?P<secret>[A-Za-z0-9/+]{38,60}(?:=|%3[Dd])|(?:[A-Za-z0-9]|%2[BFbf]){38,80}(?:=|%3[Dd]))",
        partial(joined_fillers, ("https://x.blob.core.windows.net/c?sv=2024-08-04&sig=", ALNUM, 43), ("%3D", "a", 0)),
        "?sig=abc&x=1",
    ),
    _in_address(
        "signed-url-aws",
        "Signature of a signed AWS address",
        "x-amz-signature=",
        r"(?i:x-amz-signature=)(?P<secret>[0-9a-f]{64})",
        partial(joined_fillers, ("https://b.s3.amazonaws.com/k?X-Amz-Expires=900&X-Amz-Signature=", HEX, 64)),
        "X-Amz-Signature=<signature>",
    ),
    _in_address(
        "signed-url-google",
        "Signature of a signed Google address",
        "x-goog-signature=",
        r"(?i:x-goog-signature=)(?P<secret>[0-9a-f]{64,600})",
        partial(joined_fillers, ("https://storage.googleapis.com/b/o?X-Goog-Signature=", HEX, 512)),
        "X-Goog-Signature=<signature>",
    ),
)
