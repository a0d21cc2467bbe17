"""Values in tags and nested settings whose name is a neighbour: plist, XML, HTML, tfstate, recordings of requests."""

from __future__ import annotations

from provision.detect.rules.beside import ENDS, NAME, VALUE, beside, each
from provision.detect.rules.pieces import ALNUM, HEX, example

_QUOTED = r"[^\s\"'`<>\\]"
_NAMED = r"(?:name|id|key|parameter_?key|variable|title|label|property)"
VALUED = r"(?:value|parameter_?value|text|val|content|default|connection_?string|password|secret)"
BETWEEN_ATTRIBUTES = r"[ \t]{1,4}(?:[\w:.-]{1,40}[ \t]{0,2}=[ \t]{0,2}[\"'][^\"'<>]{0,40}[\"'][ \t]{1,4}){0,2}"
VALUE_TAG = (
    r"<(?:string|data|value|td|dd|code|span|param-value|integer)(?:[ ][^<>]{0,60})?>\s{0,4}(?:<(?:b|code|strong|span)>\s{0,4}"
    r"|<!\[CDATA\[){0,2}"
)
"""The element that holds the value, after the one with its name."""
_AFTER = ('"', "'", "<", "\\")
_SPACE = r"\s{0,40}"

RULES = (
    beside(
        "tag",
        "Value in the tag after the tag with the name of a secret",
        rf"<(?P<tag>key|name|th|td|dt|label|param-name|option)(?:[ ][^<>]{{0,60}})?>\s{{0,4}}(?:<(?:b|code|strong)>)?"
        rf"(?:[\w -]{{0,20}}[ ])?{NAME.replace('_.-]?keys?', '_. -]?keys?')}[ \t:]{{0,4}}(?:</(?:b|code"
        rf"|strong)>)?\s{{0,4}}</[\w-]{{2,10}}>{_SPACE}{VALUE_TAG}",
        example("<key>AISA_API_KEY</key>\n<string>", ALNUM, 32, "</string>"),
        example("<name>apiToken</name><value>", ALNUM, 32, "</value>"),
        example("<td>API key</td><td><code>", ALNUM, 32, "</code></td>"),
        gate=rf"</[\w-]{{2,10}}>\s{{0,40}}{VALUE_TAG}",
        keywords=each(
            (*ENDS, "api key", "secret key", "access key", "client secret", "jwt", "pass"),
            ("</", " <", "\n<", ":<", ": <"),
        ),
        not_found=(
            "<key>API_KEY</key><string>$(API_KEY)</string>",
            "<td>password</td><td>required2</td>",
            "<th>Token</th><td></td>",
        ),
        value=r"[^\s<>\"'\]]",
    ),
    beside(
        "attribute",
        "Value of an attribute or child beside an attribute with the name of a secret",
        rf"\b{_NAMED}[ \t]{{0,2}}=[ \t]{{0,2}}[\"'](?:[\w./:-]{{0,40}}[/:])?{NAME}[\"']"
        rf"(?:{BETWEEN_ATTRIBUTES}{VALUED}[ \t]{{0,2}}=[ \t]{{0,2}}[\"']"
        rf"|[^<>\r\n]{{0,80}}>{_SPACE}(?:<(?:value|string)>\s{{0,4}})?(?:<!\[CDATA\[)?)",
        example('<Property Id="AISA_API_KEY" Value="', ALNUM, 32, '"/>'),
        example('<setting name="DbPassword" serializeAs="String"><value>', ALNUM, 32, "</value></setting>"),
        example('<entry key="db.password">', ALNUM, 20, "</entry>"),
        keywords=each(ENDS, _AFTER[:2]),
        not_found=(
            '<property name="password" value="${db.password}"/>',
            '<input type="password" name="password" value=""/>',
            '<string name="password">Password</string>',
        ),
        value=r"[^\s<>\"'\]]",
    ),
    beside(
        "input",
        "Value of a password field",
        r"<input\b[^<>]{0,120}\btype[ ]?=[ ]?[\"']?(?P<name>password)[\"']?[^<>]{0,120}\bvalue[ ]?=[ ]?[\"']?",
        example('<input type="password" name="pw" value="', ALNUM, 20, '">'),
        keywords=('"password"', "'password'", "=password"),
        not_found=('<input type="password" name="pw" value="">', '<input type="password" value="{{ form.password }}">'),
        value=_QUOTED,
    ),
    beside(
        "cdata",
        "Value in a CDATA section of a tag with the name of a secret",
        rf"<{NAME}(?:[ ][^<>]{{0,60}})?>\s{{0,4}}<!\[CDATA\[\s{{0,4}}",
        example("<ApiKey><![CDATA[", ALNUM, 32, "]]></ApiKey>"),
        keywords=("<![cdata[",),
        gate=r"<!\[CDATA\[\s{0,4}",
        not_found=("<ApiKey><![CDATA[${KEY}]]></ApiKey>",),
        value=r"[^\s<>\"'\]]",
    ),
    beside(
        "member",
        "Value of a member of what has the name of a secret",
        rf"\b{NAME}[\"']?[ \t]{{0,4}}(?:[:=][ \t]{{0,4}})?[\"']?[ \t]{{0,2}}\{{?\s{{1,24}}(?:[\"']?(?:sensitive|type"
        rf"|description|nullable|ephemeral|secret)[\"']?[ \t]{{0,6}}[:=][ \t]{{0,4}}"
        rf"[^\r\n{{}}]{{1,40}},?\s{{1,16}}){{0,3}}[\"']?{VALUED}[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}[\"']?",
        example('"db_password": {\n  "sensitive": true,\n  "value": "', ALNUM, 24, '"}'),
        example('variable "db_password" {\n  type    = string\n  default = "', ALNUM, 24, '"\n}'),
        example("api_key:\n  value: ", ALNUM, 24),
        keywords=each(ENDS, ('": {', '" {', '":{', ":\n", ":\r\n", " {", " = {")),
        not_found=(
            'variable "db_password" {\n  default = var.other\n}',
            "api_key:\n  value: ${KEY}",
            '"password": {\n "type": "string",\n "default": "none"}',
        ),
        gate=rf"[{{{{,\n\"' ][\"' ]{{0,2}}{VALUED}[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}[\"']?",
        value=VALUE,
    ),
    beside(
        "member-on-one-line",
        "Value of a member of what has the name of a secret, on one line",
        rf"[\"']{NAME}[\"'][ \t]{{0,4}}[:=][ \t]{{0,4}}\{{[ ]{{0,4}}(?:[\"'](?:sensitive|type"
        rf"|description)[\"'][ ]{{0,2}}:[ ]{{0,2}}[^{{}},\r\n]{{1,60}},[ ]{{0,4}}){{0,3}}[\"']"
        rf"{VALUED}[\"'][ \t]{{0,4}}:[ \t]{{0,4}}[\"']",
        example('{"outputs": {"aisa_api_key": {"value": "', ALNUM, 32, '", "type": "string"}}}'),
        keywords=each(ENDS, ('":', '" :', "':")),
        gate=rf"[\"']{VALUED}[\"'][ \t]{{0,4}}:[ \t]{{0,4}}[\"']",
        not_found=('{"password": {"value": "string", "type": "string"}}', '{"token": {"default": "${TOKEN}"}}'),
        value=_QUOTED,
    ),
    beside(
        "object",
        "Value beside its name in an object",
        rf"[\"']?\b{_NAMED}[\"']?[ \t]{{0,4}}:[ \t]{{0,4}}[\"']?{NAME}[\"']?\s{{0,4}},"
        rf"?\s{{1,40}}[\"']?{VALUED}[\"']?[ \t]{{0,4}}:[ \t]{{0,4}}[\"']?",
        example('{"ParameterKey": "DbPassword", "ParameterValue": "', ALNUM, 24, '"}'),
        example("- key: API_KEY\n  value: ", ALNUM, 32),
        keywords=each(ENDS, ('",', "',", "\n", "\r\n", '"\n', "'\n")),
        not_found=('{"key": "password", "value": "string"}', "- key: API_KEY\n  value: ${KEY}"),
        value=_QUOTED,
    ),
    beside(
        "list",
        "First value of a list with the name of a secret, as recordings of requests keep headers",
        rf"\b{NAME}s?[\"']?[ \t]{{0,4}}:[ \t]{{0,4}}"
        rf"(?:\r?\n[ \t]{{0,40}}-[ \t]{{1,4}}[\"']?|\[\s{{0,20}}[\"'])(?:bearer[ ]|basic[ ]"
        rf"|token[ ])?",
        example("    Authorization:\n    - Bearer ", ALNUM, 32, "\n"),
        example('"X-Api-Key": [\n  "', HEX, 32, '"\n]'),
        example('{"tokens":["', HEX, 16, '"]}'),
        keywords=each((*ENDS, "tokens"), (":\n", ":\r\n", ": [", ":[", '": [', '":[', "': [", "': ['")),
        not_found=(
            "Authorization:\n- DUMMY",
            '"secrets": ["DB_PASSWORD"]',
            "tokens:\n  - name: a",
            '"tokens": ["hello2", "##ing"]',
        ),
        value=r"[^\s\"'`<>|,;(){}\[\]]",
    ),
)
