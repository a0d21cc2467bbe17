"""Tokens for chat, clouds, mail, payment and other services."""

from __future__ import annotations

from functools import partial

from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule
from provision.detect.rules.pieces import (
    ALNUM,
    BASE32,
    HEX,
    LEFT,
    UPPER,
    URLSAFE,
    example,
    in_base64,
    joined_fillers,
    token_rule,
)


def _discord() -> str:
    return (
        "DISCORD_BOT_TOKEN="
        + in_base64("1093847562109384756")
        + "."
        + joined_fillers(("G", URLSAFE, 5), (".", URLSAFE, 38))
    )


TELEGRAM = Rule(
    id="telegram-token",
    description="Telegram bot token",
    severity=FindingSeverity.HIGH,
    confidence=Confidence.HIGH,
    keywords=(":aa",),
    pattern=r"(?:^|[^0-9])(?P<secret>\d{8,12}:AA[A-Za-z0-9_-]{33})",
    gate="[0-9]{8}:AA[A-Za-z0-9_-]{33}",
    entropy=3.5,
    examples=(
        example("TELEGRAM_BOT_TOKEN=110201543:AA", ALNUM, 33),
        example("/bot7102015431:AA", URLSAFE, 33, "/getMe"),
    ),
    counter_examples=("12345678:AA" + "x" * 33, "00112233:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55"),
)

TELEGRAM_END = Rule(
    id="telegram-token-end",
    description="Telegram bot token whose number begins in the row above",
    severity=FindingSeverity.HIGH,
    confidence=Confidence.MEDIUM,
    keywords=(":aa",),
    pattern=r"(?m:^)(?P<secret>\d{0,7}:AA[A-Za-z0-9_-]{33})(?:[^A-Za-z0-9_+/=-]|$)",
    gate=":AA[A-Za-z0-9_-]{33}",
    entropy=3.5,
    examples=(
        example("bot 110201\n543:AA", ALNUM, 33, "\n"),
        example("token=7102015431\r\n:AA", URLSAFE, 33),
    ),
    counter_examples=("12:AAAAB3NzaC1yc2EAAAADAQABAAABgQDLh0fPz9fV4", "x12:AA" + "bC3dE5fG7hJ" * 3),
)

_DIGITS = "[MNO][DTjz][AEIMQUYcgk][wxyz0-5]"
"""Three digits in base64. A bot's token begins with its id (17 to 19 digits) in base64."""

DISCORD = Rule(
    id="discord-token",
    description="Discord bot token",
    severity=FindingSeverity.HIGH,
    confidence=Confidence.HIGH,
    keywords=(),
    mark=(_DIGITS * 5, 20),
    pattern=rf"{LEFT}(?P<secret>(?:{_DIGITS}){{5}}[0-9A-Za-z]{{2,8}}\.[0-9A-Za-z_-]{{6}}\.[0-9A-Za-z_-]{{27,40}})",
    entropy=4.0,
    examples=(_discord, lambda: _discord().replace("=", "\\n"), lambda: "see " + _discord().partition("=")[2]),
    counter_examples=("discord: Module_with_a_long_name__.inside.another_module_with_a_long_name",),
    reach=128,
)

AWS_SECRET = Rule(
    id="aws-secret-key",
    description="AWS secret access key",
    severity=FindingSeverity.CRITICAL,
    confidence=Confidence.HIGH,
    keywords=("secret_access_key", "secretaccesskey", "secret-access-key", "aws_secret"),
    pattern=r"(?i)(?P<name>(?:aws_?)?secret[_-]?(?:access[_-]?)?key(?:_id)?)[\"'\\]{0,4}\s{0,4}(?:=>|:=|=|:|>|,)\s{0,4}[\"'\\]{0,4}"
    r"(?P<secret>[0-9A-Za-z+/]{40})(?:[^0-9A-Za-z+/=]|$)",
    gate=r"(?i)key(?:_id)?[\"'\\]{0,4}\s{0,4}(?:=>|:=|=|:|>|,)\s{0,4}[\"'\\]{0,4}[0-9A-Za-z+/]{40}",
    entropy=3.5,
    examples=(
        example("aws_secret_access_key = ", ALNUM + "+/", 40),
        example('"SecretAccessKey": "', ALNUM + "+/", 40, '",'),
    ),
    counter_examples=(
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = ${SECRET}",
    ),
)

AZURE_STORAGE = Rule(
    id="azure-storage-key",
    description="Azure storage or service bus key",
    severity=FindingSeverity.HIGH,
    confidence=Confidence.HIGH,
    keywords=("accountkey=", "sharedaccesskey="),
    pattern=r"(?i)(?P<name>AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,88}={1,2})",
    examples=(example("DefaultEndpointsProtocol=https;AccountKey=", ALNUM, 86, "==;"),),
    counter_examples=("AccountKey=<your-account-key>;",),
)

RULES: tuple[Rule, ...] = (
    token_rule(
        "slack-token",
        "Slack token",
        "xoxa- xoxb- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs- xoxc- xoxd- xapp-",
        r"(?:xox[abceoprsd]-[A-Za-z0-9%-]{20,300}|xoxe\.xox[bp]-[A-Za-z0-9-]{20,300}"
        r"|xapp-\d-[A-Z0-9]{6,20}-\d{6,20}-[a-f0-9]{40,80})",
        partial(joined_fillers, ("xoxb-", "123456789", 12), ("-", "123456789", 13), ("-", ALNUM, 24)),
        partial(joined_fillers, ("xapp-1-A", UPPER, 10), ("-", "123456789", 13), ("-", HEX, 64)),
    ),
    token_rule(
        "slack-webhook",
        "Slack webhook address",
        "hooks.slack.com",
        r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{30,90}",
        partial(joined_fillers, ("https://hooks.slack.com/services/T", UPPER, 10), ("/B", UPPER, 10), ("/", ALNUM, 24)),
    ),
    TELEGRAM,
    TELEGRAM_END,
    DISCORD,
    token_rule(
        "discord-webhook",
        "Discord webhook address",
        "discord.com/api/webhooks discordapp.com/api/webhooks",
        r"https://(?:\w{1,12}\.)?discord(?:app)?\.com/api/webhooks/\d{15,22}/[A-Za-z0-9_-]{60,80}",
        example("https://discord.com/api/webhooks/109384756210938475/", URLSAFE, 68),
    ),
    token_rule(
        "aws-access-key",
        "AWS access key id (no secret by itself)",
        "akia asia abia acca",
        r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}\b",
        example("aws_access_key_id = AKIA", BASE32, 16),
        severity=FindingSeverity.LOW,
    ),
    AWS_SECRET,
    token_rule(
        "azure-secret",
        "Azure client secret",
        "q~",
        r"[A-Za-z0-9_.~]{3}\dQ~[A-Za-z0-9_.~-]{31,34}",
        partial(joined_fillers, ("aB", ALNUM, 1), ("8Q~", ALNUM, 33)),
    ),
    AZURE_STORAGE,
    token_rule(
        "stripe-key",
        "Stripe key",
        "sk_live_ sk_test_ rk_live_ rk_test_ whsec_",
        r"(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,120}|whsec_[A-Za-z0-9+/]{32,64})",
        example("sk_live_", ALNUM, 24),
        example("rk_test_", ALNUM, 98),
        severity=FindingSeverity.CRITICAL,
    ),
    token_rule(
        "digitalocean-token",
        "DigitalOcean token",
        "dop_v1_ doo_v1_ dor_v1_",
        r"do[opr]_v1_[a-f0-9]{64}",
        example("dop_v1_", HEX, 64),
    ),
    token_rule(
        "sendgrid-key",
        "SendGrid API key",
        "sg.",
        r"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}",
        partial(joined_fillers, ("SG.", URLSAFE, 22), (".", URLSAFE, 43)),
    ),
    token_rule("mailgun-key", "Mailgun API key", "key-", r"key-[0-9a-f]{32}\b", example("key-", HEX, 32)),
    token_rule("databricks-token", "Databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?\b", example("dapi", HEX, 32)),
    token_rule(
        "grafana-token",
        "Grafana token",
        "glsa_ glc_",
        r"(?:glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/]{40,400}={0,2})",
        partial(joined_fillers, ("glsa_", ALNUM, 32), ("_", HEX, 8)),
    ),
    token_rule(
        "shopify-token",
        "Shopify token",
        "shpat_ shpca_ shppa_ shpss_",
        r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
        example("shpat_", HEX, 32),
    ),
    token_rule("notion-token", "Notion token", "ntn_", r"ntn_[A-Za-z0-9]{40,50}", example("ntn_", ALNUM, 46)),
    token_rule(
        "supabase-key",
        "Supabase key",
        "sbp_ sb_secret_",
        r"(?:sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{30,60})",
        example("sbp_", HEX, 40),
    ),
    token_rule(
        "airtable-token",
        "Airtable token",
        "airtable",
        r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
        partial(joined_fillers, ("airtable: pat", ALNUM, 14), (".", HEX, 64)),
    ),
    token_rule("newrelic-key", "New Relic key", "nrak- nral-", r"NRA[KL]-[A-Z0-9]{27,40}", example("NRAK-", UPPER, 27)),
    token_rule(
        "twilio-key",
        "Twilio API key",
        "twilio",
        r"SK[0-9a-f]{32}\b",
        example("twilio SK", HEX, 32),
        confidence=Confidence.MEDIUM,
    ),
    token_rule(
        "browserbase-key",
        "Browserbase API key",
        "bb_live_",
        r"bb_live_[A-Za-z0-9_-]{24,40}",
        example("bb_live_", URLSAFE, 27),
    ),
    token_rule(
        "fernet-token",
        "Fernet token",
        "gaaaaa",
        r"gAAAAA[A-Za-z0-9_-]{70,400}={0,2}",
        example("gAAAAA", URLSAFE, 94, "=="),
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
    ),
    token_rule(
        "square-token",
        "Square token",
        "sq0atp- sq0csp-",
        r"sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}",
        example("sq0atp-", URLSAFE, 22),
    ),
)
