"""Values by their place in program code: the argument of a call, a `#define`, a default, a password piped to `sudo -S`."""

from __future__ import annotations

from provision.detect.rules.beside import NAME, VALUE, beside, each
from provision.detect.rules.pieces import ALNUM, example

_QUOTE = r"[\"'`]"
_FIRST = rf"{_QUOTE}[^\"'`\r\n]{{0,80}}{_QUOTE}|[\w.$\[\]]{{1,60}}"
"""The argument before the password: the user, or a variable."""
_LOGINS = (
    "httpbasicauth", "httpdigestauth", "httpproxyauth", "basicauth", "basic_auth", "networkcredential", "passwordcredentials",
    "passwordcredential", "passwordauthentication", "plainauth", "auth_password", "credentials.basic", "setbasicauth",
    "basicauthentication", ".login", ".authenticate", "auth=", "auth =",
)  # fmt: skip

RULES = (
    beside(
        "given-login",
        "Password as the argument after a user",
        rf"(?:http(?:basic|digest|proxy)auth|basic_?auth(?:entication)?|networkcredential|password(?:credentials?|authentication)"
        rf"|plainauth|auth_password|credentials\.basic|\.login|\.authenticate|\bauth[ ]?=[ ]?)\([ ]?(?:\"\",[ ]?)?(?:{_FIRST})"
        rf",[ ]{{0,4}}[brfuN@]?{_QUOTE}",
        example('requests.get(u, auth=HTTPBasicAuth("ada", "', ALNUM, 16, '"))'),
        example('server.login("ada@corp.net", "', ALNUM, 16, '")'),
        example('requests.get(url, auth=("ada", "', ALNUM, 16, '"))'),
        example('new NetworkCredential("ada", "', ALNUM, 16, '");'),
        keywords=each(_LOGINS, ("(",)),
        not_found=(
            'server.login(user, "<password>")',
            'auth=("user", os.environ["PASSWORD1"])',
            'x.login("ada", "password")',
        ),
        value=r"[^\s\"'`\\]",
        after=r"[\"'`]",
    ),
    beside(
        "given-setter",
        "Value given to the setter of a secret",
        rf"\bset_?(?P<name>(?:\w{{0,30}}?)(?:password|passwd|passphrase|secret_?key|client_?secret|secret|api_?key|(?:auth|access)?_?token|access_?key"
        rf"|cipher_?key))\([ ]?{_QUOTE}",
        example('ds.setPassword("', ALNUM, 14, '");'),
        example('config.setJwtSecretKey("', ALNUM, 14, '");'),
        keywords=(
            "password(",
            "passwd(",
            "passphrase(",
            "secretkey(",
            "secret_key(",
            "secret(",
            "apikey(",
            "api_key(",
            "token(",
            "accesskey(",
            "access_key(",
            "cipherkey(",
        ),
        gate=rf"(?:passw(?:or)?d|passphrase|secret|key|token)\([ ]?{_QUOTE}",
        not_found=('ds.setPassword("${db.password}");', 'x.setToken("changeme")', 'x.setPassword(getPassword("a1b2"))'),
        value=r"[^\s\"'`\\]",
        after=r"[\"'`]",
    ),
    beside(
        "define",
        "Value of a macro with the name of a secret",
        rf"#[ \t]{{0,4}}define[ \t]{{1,8}}{NAME}[ \t]{{1,40}}[LuU]?\"",
        example('#define API_KEY "', ALNUM, 32, '"'),
        keywords=("define ", "define\t"),
        gate=r"#[ \t]{0,4}define[ \t]{1,8}[0-9A-Za-z_]{1,80}[ \t]{1,40}[LuU]?\"",
        not_found=('#define API_KEY "your-api-key"', '#define TOKEN "token_2_name"'),
        value=r"[^\s\"\\]",
    ),
    beside(
        "default",
        "Default of an option with the name of a secret",
        rf"[\"']-{{1,2}}{NAME}[\"'][^()\r\n]{{0,200}}\bdefault[ ]?=[ ]?[brfu]?[\"']",
        example('parser.add_argument("--api-key", help="key", default="', ALNUM, 32, '")'),
        keywords=("default=", "default ="),
        gate=r"\bdefault[ ]?=[ ]?[brfu]?[\"']",
        not_found=('add_argument("--token", default="none")', 'add_option("--password", default="secret")'),
        value=r"[^\s\"'`\\]",
    ),
    beside(
        "given-sudo",
        "Password piped to a program that asks for one",
        r"(?:echo|printf)[ \t]{1,3}(?:-[ne]{1,2}[ \t]{1,3})?[\"']?",
        example("echo '", ALNUM, 14, "' | sudo -S apt update"),
        keywords=("sudo -s", "password-stdin"),
        not_found=("echo $PW | sudo -S true", "echo '<password>' | sudo -S true"),
        value=VALUE,
        after=r"(?:\\n)?[\"']?[ \t]*\|[ \t]*"
        r"(?:sudo[ \t]+-S|(?:sudo[ \t]+)?(?:docker|podman|helm|crane|oras)[^|\r\n]{1,160}--password-stdin)",
        gate=None,
    ),
    beside(
        "given-secure-string",
        "Password in clear in a SecureString of PowerShell",
        r"convertto-securestring[ \t]{1,4}(?:-string[ \t]{1,4})?(?:\([ ]?)?[\"']",
        example('$p = ConvertTo-SecureString "', ALNUM, 14, '" -AsPlainText -Force'),
        keywords=("convertto-securestring",),
        gate=None,
        not_found=('ConvertTo-SecureString "$Password" -AsPlainText', "ConvertTo-SecureString '<password>' -Force"),
        value=r"[^\s\"'`]",
    ),
)
