"""Screenshots with planted keys, and the truth about them: where the ink of every key and of every other word is.

Terminals and editors are drawn with Pillow, pages by headless Chromium. Everything follows from a seed.
"""

from __future__ import annotations

import io
import json
import random
import re
import shutil
import string
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Box = tuple[float, float, float, float]
FONTS = {
    "DejaVu Sans Mono": "dejavu/DejaVuSansMono.ttf",
    "Liberation Mono": "liberation/LiberationMono-Regular.ttf",
    "Noto Sans Mono": "noto/NotoSansMono-Regular.ttf",
    "Hack": "hack/Hack-Regular.ttf",
    "Fira Code": "firacode/FiraCode-Regular.ttf",
    "JetBrains Mono": "jetbrains-mono/JetBrainsMono-Regular.ttf",
    "DejaVu Sans": "dejavu/DejaVuSans.ttf",
    "Liberation Sans": "liberation/LiberationSans-Regular.ttf",
    "Liberation Serif": "liberation/LiberationSerif-Regular.ttf",
    "Roboto": "roboto/unhinted/RobotoTTF/Roboto-Regular.ttf",
}
PROPORTIONAL = frozenset({"DejaVu Sans", "Liberation Sans", "Liberation Serif", "Roboto"})
POINTS = (9, 10, 11, 12, 14, 16, 18, 24)
THEMES = {
    "dark": ("#1e1e1e", "#d4d4d4", "#6a9955"),
    "black": ("#000000", "#e5e5e5", "#23d18b"),
    "solarized": ("#002b36", "#93a1a1", "#2aa198"),
    "light": ("#ffffff", "#24292f", "#0550ae"),
    "cream": ("#fdf6e3", "#586e75", "#268bd2"),
}
_BODY = string.ascii_letters + string.digits + "-_"
_WORDS = (  # noqa: SIM905
    "the agent starts with model and reads config from home then sends requests to gateway for every user in team "
    "export echo source install running update check status ready failed retry timeout server local main default "
    "provider context length window terminal history version python package loading session message response total"
).split()


@dataclass(frozen=True, slots=True)
class Look:
    """How one screenshot is made."""

    seed: int
    font: str
    points: int
    scale: int = 1
    theme: str = "dark"
    encoding: str = "PNG"
    quality: int = 90
    wrapped: bool = False
    page: bool = False


@dataclass(slots=True)
class Screenshot:
    """A picture and its truth, in pixels: each key's characters, each other word."""

    look: Look
    data: bytes
    keys: list[tuple[str, list[Box]]] = field(default_factory=list)
    words: list[tuple[str, Box]] = field(default_factory=list)


def body(rng: random.Random, length: int) -> str:
    return "".join(rng.choice(_BODY) for _ in range(length))


def alphanumeric(rng: random.Random, length: int) -> str:
    return "".join(rng.choice(string.ascii_letters + string.digits) for _ in range(length))


def aisa_key(rng: random.Random) -> str:
    return "sk-" + "aisa-" + body(rng, 43)


def aws_key(rng: random.Random) -> str:
    return "AK" + "IA" + "".join(rng.choice(string.ascii_uppercase + "234567") for _ in range(16))


def planted(rng: random.Random) -> str:
    """A key of some usual kind, made at run time; two of three are AIsa's."""
    kinds = (
        *([aisa_key(rng)] * 6),
        "sk-" + alphanumeric(rng, 48),
        "gh" + "p_" + alphanumeric(rng, 36),
        aws_key(rng),
    )
    return rng.choice(kinds)


def lines(rng: random.Random, keys: list[str]) -> list[list[tuple[str, bool]]]:
    """A terminal's lines as pieces (text, is key); every key once, between lines that only look secret."""
    told: list[list[tuple[str, bool]]] = []
    frames = (
        ("export AISA_API_KEY=", ""),
        ("AISA_API_KEY=", ""),
        ('    api_key: "', '"'),
        ('curl -H "Authorization: Bearer ', '" https://api.aisa.one/v1/models'),
        ('{"apiKey": "', '", "model": "gpt-5.2"}'),
        ("$ hermes config get AISA_API_KEY ", ""),
        ("", ""),
        ("key ", " was created"),
    )
    for key in keys:
        told += [plain_line(rng) for _ in range(rng.randint(1, 4))]
        before, after = rng.choice(frames)
        told.append([(before, False), (key, True), (after, False)])
    told += [plain_line(rng) for _ in range(rng.randint(2, 5))]
    return told


def plain_line(rng: random.Random) -> list[tuple[str, bool]]:
    hexadecimal = "".join(rng.choice("0123456789abcdef") for _ in range(40))
    uuid = re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12}).*", r"\1-\2-\3-\4-\5", hexadecimal)
    day = f"2026-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}T10:4{rng.randint(0, 9)}:07Z"
    prose = " ".join(rng.choice(_WORDS) for _ in range(rng.randint(4, 9)))
    kinds = (
        *([prose] * 5),
        f"commit {hexadecimal}",
        f"$ cd ~/projects/hermes-{rng.choice(_WORDS)}/src && ls -la",
        f"{day} INFO request {uuid} took {rng.randint(5, 900)} ms",
        "base_url: https://api.aisa.one/v1/chat/completions",
        f"Successfully installed httpx-0.28.{rng.randint(0, 9)} pydantic-core-2.41.5 typing-extensions-4.15.0",
        "model: claude-sonnet-5   context_length: 200000",
        f"drwxr-xr-x  5 ada staff  160 Nov 1{rng.randint(0, 9)} 10:22 .hermes",
        "AISA_API_KEY is read from the .env file",
        "OPENAI_BASE_URL=https://api.aisa.one/v1",
    )
    return [(rng.choice(kinds), False)]


def draw(look: Look) -> Screenshot:
    """The screenshot of a look."""
    rng = random.Random(look.seed)
    keys = [planted(rng) for _ in range(2)]
    told = lines(rng, keys)
    return _page(look, told) if look.page else _terminal(look, told)


def font_of(look: Look) -> ImageFont.FreeTypeFont:
    size = round(look.points * 96 / 72 * look.scale)
    return ImageFont.truetype(
        f"/usr/share/fonts/truetype/{FONTS[look.font]}", size, layout_engine=ImageFont.Layout.BASIC
    )


def _terminal(look: Look, told: list[list[tuple[str, bool]]]) -> Screenshot:
    font = font_of(look)
    ground, ink, accent = THEMES[look.theme]
    margin, height = round(font.size * 0.8), round(font.size * 1.35)
    widest = max(font.getlength("".join(text for text, _ in line)) for line in told)
    width = _wrap_width(font, told) if look.wrapped else widest + 1
    glyphs: list[tuple[float, int, str, int | None, bool]] = []  # x, row, character, number of the key, starts a word
    row = -1
    number = -1
    for line in told:
        row += 1
        x = 0.0
        for text, secret in line:
            number += secret
            for c in text:
                step = font.getlength(c)
                if x + step > width:
                    row, x = row + 1, 0.0
                glyphs.append((x, row, c, number if secret else None, False))
                x += step
    size = (round(width) + 2 * margin + round(font.size * 2), (row + 1) * height + 2 * margin)
    image = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(image)
    shot = Screenshot(look, b"", [("", []) for _ in range(number + 1)])
    for x, line_row, c, key, _ in glyphs:
        at = (margin + x, margin + line_row * height)
        pen.text(at, c, fill=accent if line_row % 4 == 1 else ink, font=font)
        if key is not None and not c.isspace():
            text, boxes = shot.keys[key]
            left, top, right, bottom = font.getbbox(c)
            shot.keys[key] = (text + c, [*boxes, (at[0] + left, at[1] + top, at[0] + right, at[1] + bottom)])
    shot.words = _words(glyphs, font, margin, height)
    shot.data = encode(image, look)
    return shot


def _wrap_width(font: ImageFont.FreeTypeFont, told: list[list[tuple[str, bool]]]) -> float:
    """A width at which every key breaks somewhere in its second half."""
    ends = []
    for line in told:
        before = ""
        for text, secret in line:
            if secret:
                ends.append((font.getlength(before), font.getlength(text)))
            before += text
    start = min(s + w * 0.75 for s, w in ends)
    return max(start, font.getlength("x" * 40))


def _words(
    glyphs: list[tuple[float, int, str, int | None, bool]], font: ImageFont.FreeTypeFont, margin: int, height: int
) -> list[tuple[str, Box]]:
    words: list[tuple[str, Box]] = []
    now: list[tuple[float, int, str]] = []

    def close() -> None:
        if now:
            boxes = [font.getbbox(c) for _, _, c in now]
            top = margin + now[0][1] * height
            words.append(
                (
                    "".join(c for _, _, c in now),
                    (
                        margin + now[0][0] + boxes[0][0],
                        top + min(b[1] for b in boxes),
                        margin + now[-1][0] + boxes[-1][2],
                        top + max(b[3] for b in boxes),
                    ),
                )
            )
            now.clear()

    for x, row, c, key, _ in glyphs:
        if c.isspace() or key is not None or (now and now[-1][1] != row):
            close()
        if not c.isspace() and key is None:
            now.append((x, row, c))
    close()
    return [w for w in words if any(c.isalnum() for c in w[0])]


def encode(image: Image.Image, look: Look) -> bytes:
    out = io.BytesIO()
    image.save(out, look.encoding, **({} if look.encoding == "PNG" else {"quality": look.quality}))
    return out.getvalue()


_HTML = """<!doctype html><meta charset=utf-8><style>
body{{margin:24px;background:{ground};color:{ink};font:{points}pt "{font}";width:{width}px}}
h1{{font:600 1.6em "Liberation Sans"}} nav{{background:{accent};color:{ground};padding:8px;font:{points}pt "Roboto"}}
.box{{border:1px solid {accent};border-radius:6px;padding:10px;margin:8px 0;{wrap}}}
</style><nav>Dashboard  Settings  API keys  Billing</nav><h1>API keys</h1>{rows}
<script>
const out = {{keys: [], words: []}}
const place = r => [r.left, r.top, r.right, r.bottom].map(v => v * {scale})
const range = document.createRange()
function characters(node, key) {{
  for (let i = 0; i < node.data.length; i++) {{
    range.setStart(node, i); range.setEnd(node, i + 1)
    key[0] += node.data[i]
    key[1].push(place(range.getClientRects()[0] || range.getBoundingClientRect()))
  }}
}}
function words(node) {{
  for (const found of node.data.matchAll(/\\S+/g)) {{
    range.setStart(node, found.index); range.setEnd(node, found.index + found[0].length)
    for (const r of range.getClientRects()) out.words.push([found[0], place(r)])
  }}
}}
function walk(node, key) {{
  if (node.nodeType == 3) return key ? characters(node, key) : words(node)
  if (['SCRIPT', 'STYLE'].includes(node.nodeName)) return
  if (node.classList && node.classList.contains('k')) out.keys.push(key = ['', []])
  for (const child of node.childNodes) walk(child, key)
}}
walk(document.body, null)
const told = document.createElement('script')
told.type = 'application/json'; told.id = 'truth'; told.textContent = JSON.stringify(out)
document.body.appendChild(told)
</script>"""


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "chromium is not installed"
    return found


def _page(look: Look, told: list[list[tuple[str, bool]]]) -> Screenshot:
    import html
    import tempfile

    ground, ink, accent = THEMES[look.theme]
    rows = "".join(
        '<div class="box">'
        + "".join(f'<span class="k">{t}</span>' if secret else html.escape(t) for t, secret in line)
        + "</div>"
        for line in told
    )
    width = round(look.points * 36) if look.wrapped else round(look.points * 96)
    wrap = "word-break:break-all" if look.wrapped else "white-space:nowrap;overflow:visible"
    source = _HTML.format(
        ground=ground,
        ink=ink,
        accent=accent,
        points=look.points,
        font=look.font,
        width=width,
        wrap=wrap,
        rows=rows,
        scale=look.scale,
    )
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder, "page.html"), Path(folder, "page.png")
        page.write_text(source, encoding="utf-8")
        tall = round((len(told) + 3) * look.points * (7.5 if look.wrapped else 4.2)) + 120
        common = [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            f"--user-data-dir={folder}/profile", f"--window-size={width + 80},{tall}",
            f"--force-device-scale-factor={look.scale}",
        ]  # fmt: skip
        dom = subprocess.run(
            [*common, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60, check=True
        )
        subprocess.run([*common, f"--screenshot={shot}", page.as_uri()], capture_output=True, timeout=60, check=True)
        found = re.search(r'id="truth">(.*?)</script>', dom.stdout, re.DOTALL)
        assert found
        truth = json.loads(html.unescape(found.group(1)))
        image = Image.open(shot).convert("RGB")
    result = Screenshot(look, encode(image, look))
    result.keys = [(text, [tuple(b) for b in boxes]) for text, boxes in truth["keys"]]
    result.words = [(w, tuple(b)) for w, b in truth["words"] if any(c.isalnum() for c in w)]
    return result


def looks(seed: int, count: int) -> list[Look]:
    """`count` looks that go through all fonts and sizes, and mix everything else."""
    rng = random.Random(seed)
    names = list(FONTS)
    made = []
    for n in range(count):
        page = n % 5 == 4
        made.append(
            Look(
                seed=seed * 1000 + n,
                font=names[n % len(names)],
                points=POINTS[(n // len(names) + n) % len(POINTS)],
                scale=rng.choice((1, 2)),
                theme=rng.choice(list(THEMES)),
                encoding=rng.choice(("PNG", "JPEG", "JPEG", "WEBP")),
                quality=rng.choice((60, 70, 80, 95)),
                wrapped=rng.random() < 0.35,
                page=page,
            )
        )
    return made
