"""Values beside a name in another language: `mot de passe : …`, `<kennwort>…</kennwort>`, `"密码": "…"`.

The names are rare in other text, so these rules run wherever one is and need no gate.
"""

from __future__ import annotations

from provision.detect.rules.beside import VALUE, beside, utf8
from provision.detect.rules.pieces import ALNUM, example
from provision.detect.rules.tags import BETWEEN_ATTRIBUTES, VALUE_TAG, VALUED
from provision.detect.rules.words import BETWEEN, MARKS, SIGN
from provision.detect.secret_names import FOREIGN

_VERB = rf"(?:lautet|ist|est|es|{utf8('è')}|{utf8('é')}|{utf8('är')}|er|on|to|jest|{utf8('это')}):?[ ]"
_OF_WHAT = f"du|de|des|del|de[ ]la|do|da|di|f{utf8('ü')}r|von|vom|zum|zur|voor|til|f{utf8('ö')}r|{utf8('для')}"
_OF = rf"(?:[ ](?:{_OF_WHAT})[ ][\w.@-]{{1,24}})?"
"""Whose it is: `mot de passe du serveur`."""


def _any_case(name: str) -> str:
    """The pattern of a name; RE2 ignores the case of ASCII letters only."""
    made = (f"(?:{utf8(c)}|{utf8(c.upper())})" if c.upper() != c and not c.isascii() else utf8(c) for c in name)
    return "".join("[ _.-]?" if c in " -" else c for c in made)


def _keywords(name: str) -> set[str]:
    """The ways of writing a name, without a first letter whose capital is not ASCII."""
    own = name if name[0].isascii() or name[0].upper() == name[0] else name[1:]
    return {own.replace(" ", sign).replace("-", sign) for sign in (" ", "-", "_", ".", "")}


IN_OTHER_LANGUAGES = "|".join(map(_any_case, sorted(FOREIGN, key=len, reverse=True)))
"""The names as a pattern over UTF-8."""
KEYWORDS = tuple(sorted({word for name in FOREIGN for word in _keywords(name)}))
_NAME = rf"(?P<name>[0-9A-Za-z_.-]{{0,40}}?(?:{IN_OTHER_LANGUAGES})(?:[_-]?\d{{1,3}})?)"
_VALUE = VALUE.replace(r"\\]", r"\\*\x80-\xff]")
_LAST = VALUE.replace(r"\\]", r"\\*.:?\x80-\xff]")
_IN_TAG = r"[^<>\"'\r\n\t\]]"

RULES = (
    beside(
        "words-in-other-languages",
        "Value after the name of a secret in another language",
        rf"(?P<name>{IN_OTHER_LANGUAGES}){_OF}{BETWEEN}(?:{SIGN}|{_VERB}){MARKS}[ \t]{{0,4}}{MARKS}",
        example("mot de passe : ", ALNUM, 24),
        example("Contraseña: ", ALNUM, 24),
        example("Der API-Schlüssel lautet ", ALNUM, 32, "."),
        example("密码\uff1a", ALNUM, 24),
        keywords=KEYWORDS,
        not_found=("mot de passe : obligatoire", "пароль: ********", "Kennwort: <Kennwort>"),
        gate=None,
        value=_VALUE,
        last=_LAST,
        shortest=5,
        reach=420,
    ),
    beside(
        "setting-in-other-languages",
        "Value given to the name of a secret in another language",
        rf"{_NAME}(?:\\?[\"'][ \t]{{0,4}}(?:=>|:)[ \t]{{0,4}}\\?[\"']|[\"'\]]{{0,2}}[ \t]{{0,4}}=>?[ \t]{{0,4}}[\"']?)",
        example('"contraseña": "', ALNUM, 24, '"'),
        example("?motdepasse=", ALNUM, 16, "&x=1"),
        example("<db kennwort='", ALNUM, 16, "'/>"),
        keywords=KEYWORDS,
        not_found=('"kennwort": "${KENNWORT}"', "kennwort = lies_kennwort()", 'kennwort="********"'),
        gate=None,
    ),
    beside(
        "option-in-other-languages",
        "Option with the name of a secret in another language",
        rf"(?:^|[\s\"'`])--?{_NAME}[ ][\"']?",
        example("tool --kennwort ", ALNUM, 16),
        keywords=KEYWORDS,
        not_found=("tool --kennwort $KENNWORT", "tool --kennwort <Kennwort>"),
        gate=None,
    ),
    beside(
        "element-in-other-languages",
        "Element with the name of a secret in another language",
        rf"<{_NAME}(?:\s[^<>]{{0,80}})?>\s{{0,8}}(?:<!\[CDATA\[\s{{0,4}})?",
        example("<kennwort>", ALNUM, 16, "</kennwort>"),
        example('<密码 x="1"><![CDATA[', ALNUM, 16, "]]></密码>"),
        keywords=KEYWORDS,
        not_found=("<senha>${SENHA}</senha>", "<kennwort>********</kennwort>"),
        gate=None,
        value=_IN_TAG,
        after=r"(?:</|\]\]>|\s)",
        shortest=3,
    ),
    beside(
        "pair-in-other-languages",
        "Value beside an element, attribute or member with the name of a secret in another language",
        rf"{_NAME}(?:[ \t:]{{0,4}}(?:</(?:b|code|strong)>)?\s{{0,4}}</[\w-]{{2,10}}>\s{{0,40}}{VALUE_TAG}"
        rf"|[\"'](?:{BETWEEN_ATTRIBUTES}{VALUED}[ \t]{{0,2}}=[ \t]{{0,2}}[\"']"
        r"|[^<>\r\n]{0,80}>\s{0,40}(?:<(?:value|string)>)?)"
        rf"|[\"']?\s{{0,4}},?\s{{1,40}}[\"']?{VALUED}[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}[\"']?"
        rf"|[\"'],[\"']{VALUED}[\"']:[\"'])",
        example("<key>mot de passe</key>\n<string>", ALNUM, 24, "</string>"),
        example('<entry name="contraseña" value="', ALNUM, 24, '"/>'),
        example("- name: kennwort\n  value: ", ALNUM, 24),
        example('{"name":"kennwort","value":"', ALNUM, 24, '"}'),
        keywords=KEYWORDS,
        not_found=("<key>kennwort</key><string>$(KENNWORT)</string>", "<td>Kennwort</td><td>********</td>"),
        gate=None,
        value=_IN_TAG.replace(r"\t", r"\t ,"),
        shortest=3,
    ),
)
