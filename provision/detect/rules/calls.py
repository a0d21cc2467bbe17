"""Values by their place in program code: the argument of a call, a `#define`, a default, a password piped to `sudo -S`."""

from __future__ import annotations

from provision.detect.rules.beside import NAME, VALUE, beside, each
from provision.detect.rules.pieces import ALNUM, HEX, example

_QUOTE = r"[\"'`]"
_DECODES = (
    r"(?:b64decode|base64\.decode\w*|buffer\.from|fromhex|unhexlify|frombase64string|hex\.decode\w*|secretkeyspec)"
    rf"\([ ]?(?:new[ ][\w.]{{1,30}}\()?[bN@]?{_QUOTE}"
)
_FIRST = rf"{_QUOTE}[^\"'`\r\n]{{0,80}}{_QUOTE}|[\w.$\[\]]{{1,60}}"
"""The argument before the password: the user, or a variable."""
_PRINTS = r"(?:echo|printf)[ \t]{1,3}(?:-[neE]{1,3}[ \t]{1,3})?(?:[\"'](?:%s:?){1,2}(?:\\n)?[\"'][ \t]{1,3})?"
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
        "given-dsl",
        "Password after its name in Gradle's and similar languages",
        rf"(?:^|[\s{{;])(?P<name>\w{{0,30}}?(?:password|passphrase|passwd|apikey|api_key|secretkey|secret_key|authtoken|accesstoken))"
        rf"(?:[ ]{{1,4}}|\([ ]?){_QUOTE}",
        example("  password '", ALNUM, 14, "'\n"),
        example('    storePassword("', ALNUM, 14, '")\n'),
        keywords=each(
            (
                "password",
                "passphrase",
                "passwd",
                "apikey",
                "api_key",
                "secretkey",
                "secret_key",
                "authtoken",
                "accesstoken",
            ),
            (" '", ' "', "('", '("'),
        ),
        gate=None,
        not_found=('password "${System.env.PASSWORD}"', "password 'changeme'", "the password 'ada12x' is wrong"),
        value=r"[^\s\"'`\\]",
        after=rf"{_QUOTE}[ ]?\)?[ \t]{{0,4}}[,;}}]?[ \t]{{0,8}}(?://[^\r\n]{{0,80}})?\r?$",
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
        rf"{_PRINTS}[\"']?",
        example("echo '", ALNUM, 14, "' | sudo -S apt update"),
        example("printf '%s' '", ALNUM, 14, "' | docker login -u ada --password-stdin r.example"),
        example('echo -e "', ALNUM, 14, '" | passwd --stdin ada'),
        keywords=("sudo -s", "password-stdin", "passwd --stdin", "| passwd ", "| sudo passwd "),
        not_found=("echo $PW | sudo -S true", "echo '<password>' | sudo -S true", "echo '$PW' | passwd --stdin ada"),
        value=VALUE.replace(r"\\]", "]"),  # also `word\\nword`
        after=r"[\"']?[ \t]*\|[ \t]*(?:sudo[ \t]+-S|(?:sudo[ \t]+)?passwd[ \t]"
        r"|(?:sudo[ \t]+)?(?:docker|podman|helm|crane|oras)[^|\r\n]{1,160}--password-stdin)",
        gate=None,
    ),
    beside(
        "given-chpasswd",
        "Password given to chpasswd",
        rf"(?:{_PRINTS}[\"']?[\w.-]{{1,40}}(?::|[\"']?[ \t]{{1,3}}[\"']?)"
        r"|chpasswd(?:[ \t]+-[\w-]+(?:[ \t]+[A-Z0-9]+)?)?[ \t]*<<(?:<[ \t]*[\"']?|-?[ \t]*[\"']?\w{1,20}[\"']?[ \t]*\r?\n"
        r"(?:[ \t]*[\w.-]{1,40}:[^\s]{1,100}\r?\n){0,6}[ \t]*)[\w.-]{1,40}:)",
        example("echo 'ada:", ALNUM, 14, "' | sudo chpasswd"),
        example("printf 'ada:", ALNUM, 14, "\\n' | chpasswd -c SHA512"),
        example("printf '%s:%s\\n' ada '", ALNUM, 14, "' | chpasswd"),
        example("chpasswd <<< 'ada:", ALNUM, 14, "'"),
        example("chpasswd <<EOF\nada:", ALNUM, 14, "\nEOF\n"),
        keywords=("chpasswd",),
        not_found=("echo 'ada:$PW' | chpasswd", "chpasswd <<< 'ada:$PW'", "chpasswd <<EOF\nada:$PW\nEOF\n"),
        value=VALUE,
        after=r"(?:(?:\\n)?[\"']?[ \t]*\|[ \t]*(?:sudo[ \t]+)?chpasswd|[\"']?[ \t]*\r?$)",
        gate=None,
    ),
    beside(
        "decoded",
        "Value of the name of a secret that a program decodes",
        rf"(?P<name>\w{{1,40}}?key|\w{{0,40}}?(?:secret|token|password))[)\]\"'.]{{0,4}}(?:[ ]{{0,4}}(?::?=|:)[ ]{{0,4}}|\()"
        rf"(?:new[ ])?[\w.:]{{0,40}}?{_DECODES}",
        example('setCipherKey(Base64.decode("', ALNUM, 22, '=="));'),
        example("const secretKey = createSecretKey(Buffer.from('", ALNUM, 64, "', 'hex'))"),
        example('SIGNING_KEY = bytes.fromhex("', HEX, 64, '")'),
        keywords=each(
            (
                "b64decode",
                "base64.decode",
                "buffer.from",
                "fromhex",
                "unhexlify",
                "frombase64string",
                "hex.decode",
                "secretkeyspec",
            ),
            ("(",),
        ),
        gate=_DECODES,
        not_found=('apiKey = Base64.decode("your-api-key")', 'token = bytes.fromhex("00000000000000000000")'),
        value=r"[^\s\"'`\\]",
        shortest=12,
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
