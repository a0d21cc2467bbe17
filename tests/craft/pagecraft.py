"""Pages in headless Chromium with planted keys: terminals, tables, split windows, editors, chats and forms, in small letters too.

Other fonts, sizes and layouts than in `picturecraft`, whose `Screenshot` and truth are used. Everything follows from a seed.
"""

from __future__ import annotations

import html
import io
import itertools
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from picturecraft import THEMES, Box, Look, Screenshot, aisa_key, alphanumeric, aws_key, body, chromium, plain_line
from PIL import Image
from playwright.sync_api import Page, sync_playwright

FONTS = (
    "DejaVu Sans Mono",
    "Liberation Mono",
    "Noto Sans Mono",
    "Hack",
    "Fira Code",
    "JetBrains Mono",
    "Liberation Sans",
)
PIXELS = (8, 9, 10, 11, 12, 13, 15, 18)
LAYOUTS = ("terminal", "table", "split", "editor", "chat", "form")
_FLAT = 24
_STYLE = """*{box-sizing:border-box} body{margin:0;padding:14px;white-space:pre} td{border:1px solid #8888;padding:2px 6px}
.fold{width:24ch;white-space:normal;word-break:break-all;vertical-align:top} .two{display:flex;gap:3ch}
.two>*+*{border-left:1px solid #888;padding-left:1ch} .n{opacity:.5} .b{border-radius:9px;padding:6px 9px;margin:6px;
background:#8882;width:max-content} .f{border:1px solid #888;padding:3px 6px;margin:3px 0;width:max-content}"""
_TRUTH = """() => {
  const keys = [], words = [], range = document.createRange()
  const box = (node, from, to) => { range.setStart(node, from); range.setEnd(node, to)
    const r = range.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) { const node = walk.currentNode, text = node.data
    if (node.parentElement.tagName === 'B') keys.push([text, [...text].map((_, n) => box(node, n, n + 1))])
    else for (const m of text.matchAll(/[A-Za-z0-9][^ \\n]*/g)) words.push([m[0], box(node, m.index, m.index + m[0].length)]) }
  return [keys, words] }"""


@dataclass(frozen=True, slots=True)
class PageLook:
    """How one page is made. The known key without a prefix is planted if `opaque` is given."""

    seed: int
    layout: str
    font: str
    pixels: int
    scale: int = 1
    theme: str = "light"
    encoding: str = "PNG"
    opaque: str = ""


def looks(seed: int, count: int, opaque: str = "") -> Iterator[PageLook]:
    """`count` looks: every layout with every size, fonts and themes in turn."""
    rng = random.Random(seed)
    for number, (layout, pixels) in enumerate(
        itertools.islice(itertools.cycle(itertools.product(LAYOUTS, PIXELS)), count)
    ):
        theme, font = rng.choice(list(THEMES)), FONTS[(number + number // 48) % len(FONTS)]
        encoding = "JPEG" if pixels >= 12 and rng.random() < 0.3 else "PNG"
        scale = 2 if rng.random() < 0.2 else 1
        yield PageLook(
            rng.randrange(1 << 30), layout, font, pixels, scale, theme, encoding, opaque if number % 4 == 3 else ""
        )


def pages(wanted: list[PageLook]) -> Iterator[tuple[PageLook, Screenshot]]:
    """Draw them, one after the other, in one Chromium. A font that is not installed is an error: another would be drawn."""
    for font in {look.font for look in wanted}:
        drawn = subprocess.run(
            ["fc-match", "--format=%{family[0]}", font], check=True, capture_output=True, text=True
        ).stdout
        assert drawn == font, f"{font} is not installed: {drawn} would be drawn"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for look in wanted:
            page = browser.new_page(viewport={"width": 1000, "height": 600}, device_scale_factor=look.scale)
            yield look, _shot(page, look)
            page.close()
        browser.close()


def _shot(page: Page, look: PageLook) -> Screenshot:
    ground, ink, _ = THEMES[look.theme]
    style = f"body{{background:{ground};color:{ink};font:{look.pixels}px '{look.font}'}}b{{font-weight:400}}{_STYLE}"
    page.set_content(f"<!doctype html><meta charset=utf-8><style>{style}</style>{_page(look)}")
    keys, words = page.evaluate(_TRUTH)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    out = io.BytesIO()
    picture.save(out, look.encoding, **({"quality": 75} if look.encoding == "JPEG" else {}))

    def scaled(box: list[float]) -> tuple[float, float, float, float]:
        left, top, right, bottom = (v * look.scale for v in box)
        return left, top, right, bottom

    old = Look(look.seed, look.font, look.pixels, look.scale, look.theme, look.encoding)
    shot = Screenshot(old, out.getvalue())
    shot.keys = [(text, [_with_ink(picture, scaled(box)) for box in boxes]) for text, boxes in keys]
    shot.words = [(text, scaled(box)) for text, box in words]
    return shot


def _with_ink(picture: Image.Image, box: Box) -> Box:
    """Return a character's box, made higher if its ink is below it: Chromium draws some underscores there."""
    left, top, right, bottom = box
    inside = picture.crop((round(left), round(top), round(right), round(bottom))).convert("L")
    darkest, lightest = inside.getextrema()
    plain = float(lightest) - float(darkest) < _FLAT  # type: ignore[arg-type]
    return (left, top, right, bottom + 0.2 * (bottom - top)) if plain else box


def _page(look: PageLook) -> str:
    rng = random.Random(look.seed)
    kinds = (
        aisa_key(rng),
        aisa_key(rng),
        "gh" + "p_" + alphanumeric(rng, 36),
        aws_key(rng),
        "sk-" + "or-v1-" + body(rng, 64),
    )
    first, second = rng.choice(kinds), look.opaque or rng.choice(kinds[:3])
    plain = [html.escape(plain_line(rng)[0][0]) for _ in range(14)]
    a, c = f"<b>{first}</b>", f"<b>{second}</b>"
    match look.layout:
        case "terminal":
            lines = [plain[0], f'$ curl -H "Authorization: Bearer {a}" https://api.aisa.one/v1/models', *plain[1:4]]
            return "\n".join([*lines, f"Authorization: Bearer {c}", *plain[4:7]])
        case "table":
            rows = [
                ("name", "key", "last used"),
                ("main", a, plain[0]),
                ("build", c, plain[1]),
                ("old", "none", plain[2]),
            ]
            cells = "".join("<tr>" + "".join(f"<td class=fold>{cell}</td>" for cell in row) + "</tr>" for row in rows)
            return f"{plain[3]}<table>{cells}</table>{plain[4]}"
        case "split":
            left = "\n".join([*plain[:3], f"export AISA_API_KEY={a}", *plain[3:5]])
            return (
                f"<div class=two><div>{left}</div><div>{chr(10).join(plain[5:8])}\ntoken: {c}\n{plain[8]}</div></div>"
            )
        case "editor":
            text = [
                "{",
                ' "model": "gpt-5.2",',
                f' "api_key": "{a}",',
                ' "extra": {',
                f'  "token": "{c}"',
                " }",
                "}",
                *plain[:5],
            ]
            return "\n".join(f"<span class=n>{n:3} </span>{line}" for n, line in enumerate(text, 1))
        case "chat":
            return "".join(
                f"<div class=b>{line}</div>"
                for line in (plain[0], f"my key is {a}, please try it", plain[1], f"works; mine: {c}", plain[2])
            )
        case _:
            fields = (("Name", "main"), ("API key", a), ("Base URL", "https://api.aisa.one/v1"), ("Secret token", c))
            return "".join(f"<div>{name}<div class=f>{value}</div></div>" for name, value in fields) + plain[0]
