"""WELCOME.html: everything is text, nothing is loaded, and the page says in which language it is."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from provision.errors import Place
from provision.fleet.desired import DesiredState, EffectiveProfile, Platform, SecretDelivery
from provision.hermes.rendering.render import render_welcome, render_welcome_page
from provision.hermes.rendering.templates import Templates, WelcomeNotes
from provision.hermes.rendering.welcome_page import contact_in, welcome_html

SHIPPED = Path(__file__).parents[4] / "templates"
CONTACT = 'IT desk <it@corp.example>, room "4" & 5'
TEMPLATES = Templates.load(SHIPPED, notes=WelcomeNotes(CONTACT, "https://it.corp.example/provision"))
PROFILE = EffectiveProfile(
    "team", "gpt-5.2", "https://api.aisa.one/v1", capabilities=True, fallback_models=("gpt-5.1",)
)
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "ul", "li", "table", "tr", "th", "td"),
    *("pre", "code", "b"),
}


class Seen(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text, self.lang, self._open = "", "", ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open = tag
        self.attributes |= {name for name, _ in attrs}
        self.lang = dict(attrs).get("lang") or self.lang

    def handle_data(self, data: str) -> None:
        self.text += "" if self._open in {"style", "title"} else data


def page_of(profile: EffectiveProfile = PROFILE, platform: Platform = Platform.LINUX) -> tuple[str, bytes]:
    state = DesiredState("ada", profile, Place("inventory.yaml", 1), platform=platform)
    text = render_welcome(state, TEMPLATES)
    return text.decode(), render_welcome_page(text, profile, TEMPLATES)


@pytest.mark.parametrize("language", [None, "de", "fr"])
@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("delivery", list(SecretDelivery))
def test_the_page_says_what_the_text_says(language: str | None, platform: Platform, delivery: SecretDelivery) -> None:
    profile = dataclasses.replace(PROFILE, language=language, secret_delivery=delivery, managed=True)
    text, page = page_of(profile, platform)
    seen = Seen(page)
    assert seen.lang == ("de" if language == "de" else "en"), "a language without a folder is English"
    assert ("Hallo ada" in text) is (language == "de")
    assert set(seen.tags) <= ALLOWED
    assert seen.attributes <= {"lang", "charset", "http-equiv", "content", "name"}

    def words(of: str) -> str:
        plain = re.sub(
            r"\\([!-/:-@\[-`{-~])", r"\1", re.sub(r"^(?:#+|- |```\w*|\|[-| ]*)|[`|]|\*\*", "", of, flags=re.MULTILINE)
        )
        return "".join(plain.split())

    assert words(text) == "".join(seen.text.split())
    assert text.index("provision --version") < text.index("provision install"), "first the program, then the bundle"
    assert "https\\://it.corp.example/provision" in text


def test_the_page_is_closed_and_the_policy_names_its_style() -> None:
    _, page = page_of()
    style = page.partition(b"<style>")[2].partition(b"</style>")[0]
    policy = re.search(rb'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert policy[1].decode().startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert b"url(" not in style
    assert not re.search(rb"<(?:script|img|link|a|iframe|form)\b", page)


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) \"'><b>|\x1b[31m`code` **b** \\`"
)


def test_hostile_texts_are_text() -> None:
    profile = dataclasses.replace(PROFILE, description=HOSTILE, name=HOSTILE, model=HOSTILE, fallback_models=(HOSTILE,))
    seen = Seen(page_of(profile)[1])
    assert set(seen.tags) <= ALLOWED
    assert seen.attributes <= {"lang", "charset", "http-equiv", "content", "name"}
    assert "\x1b" not in seen.text
    for line in (HOSTILE, f"# {HOSTILE}", f"- {HOSTILE}", f"| {HOSTILE} |", f"```\n{HOSTILE}", f"**{HOSTILE}**"):
        assert set(Seen(welcome_html(line.encode(), HOSTILE, HOSTILE)).tags) <= ALLOWED


def test_the_contact_is_kept_as_it_is() -> None:
    assert contact_in(page_of()[1]) == CONTACT
    assert contact_in(welcome_html(b"# x\n", "en", "")) == ""
    assert contact_in(b"") == ""
    assert contact_in(b'<meta name="it-contact" content="\x1b[31m">') == ""


@pytest.mark.parametrize(
    "text", ["", "\n\n", "|", "|\n|\n", "- ", "```", "```\n", "#", "**", "`", "\\", "| |\n|-|\n", "  x"]
)
def test_odd_text_makes_a_page(text: str) -> None:
    assert welcome_html(text.encode(), "en", "").endswith(b"</html>\n")
