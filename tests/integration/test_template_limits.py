"""A template that would eat the machine is refused, by its name, within seconds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from bundlecraft import PROFILE

from provision.hermes.rendering.render import render_config
from provision.hermes.rendering.renderer import CPU_LIMIT_S
from provision.hermes.rendering.sandbox import MEMORY_LIMIT_BYTES
from provision.hermes.rendering.templates import CONFIG, WELCOME, TemplateError, Templates

SHIPPED = Path(__file__).resolve().parents[2] / "templates"
POSIX = os.name == "posix"


def _doubling(times: int) -> str:
    sets = "".join(f"{{% set a{n + 1} = a{n} ~ a{n} %}}" for n in range(times))
    return "{% set a0 = 'xxxxxxxxxxxxxxxx' %}" + sets


DOUBLING = _doubling(34)
SORTING = "{% for i in range(20000) %}{{ (range(100000) | sort | list | length) }}{% endfor %}"
JOINED_WHEN_COMPILED = "{{ [" + "1," * 40_000 + "] | join('" + "y" * 100_000 + "') | length }}"

BELOW_THE_CAP_OF_TESTS = _doubling(24)
"""Half a gigabyte: memory_caps.py lets every test here have more, so that only the template's own limit can refuse it."""


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    for name in (CONFIG, WELCOME):
        (path / name).write_text("hello {{ user }}\n")
    return path


def _loaded(folder: Path, config: str) -> Templates:
    (folder / CONFIG).write_text(config)
    (folder / WELCOME).write_text("hello {{ user }}\n")
    return Templates.load(folder)


@pytest.mark.skipif(not POSIX, reason="these limits are those of POSIX systems")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (DOUBLING, f"more than {MEMORY_LIMIT_BYTES >> 20} MB"),
        (JOINED_WHEN_COMPILED, f"more than {MEMORY_LIMIT_BYTES >> 20} MB"),
        (BELOW_THE_CAP_OF_TESTS, f"more than {MEMORY_LIMIT_BYTES >> 20} MB"),
    ],
    ids=["doubling", "compiling", "below the cap of tests"],
)
def test_memory_is_limited(tmp_path: Path, source: str, said: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateError, match=said) as caught:
        _loaded(tmp_path, source).render(CONFIG, {})
    assert caught.value.place is not None
    assert CONFIG in caught.value.place.file
    assert time.process_time() - began < CPU_LIMIT_S


def test_long_output_stops_early(tmp_path: Path) -> None:
    source = "{% set a = '" + "x" * 100_000 + "' %}{% for i in range(20000) %}{{ a }}{% endfor %}"
    with pytest.raises(TemplateError, match="longer than 1048576 characters"):
        _loaded(tmp_path, source).render(CONFIG, {})


@pytest.mark.skipif(not POSIX, reason="the limit is that of POSIX systems")
def test_processor_time_is_limited_and_other_renderings_go_on(tmp_path: Path) -> None:
    templates = _loaded(tmp_path, SORTING)
    with pytest.raises(TemplateError, match=f"more than {CPU_LIMIT_S} seconds of processor time"):
        templates.render(CONFIG, {})
    assert templates.render(WELCOME, {"user": "ada"}) == "hello ada\n"


def test_templates_run_without_the_environment_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISA_API_KEY", "sk-aisa-visible")
    templates = Templates.load(SHIPPED)
    process = templates.renderer._process
    if Path("/proc/self/environ").exists():
        assert b"sk-aisa" not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_the_process_ends_with_its_templates() -> None:
    templates = Templates.load(SHIPPED)
    process = templates.renderer._process
    assert render_config(PROFILE, templates).text
    del templates
    assert process.poll() is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_does_not_share_the_process(tmp_path: Path) -> None:
    templates = _loaded(tmp_path, "{{ x }}")
    assert templates.render(CONFIG, {"x": 1}) == "1"
    child = os.fork()
    if child == 0:
        os._exit(0 if templates.render(CONFIG, {"x": 2}) == "2" else 1)
    for n in range(20):
        assert templates.render(CONFIG, {"x": n}) == str(n)
    assert os.waitpid(child, 0)[1] == 0
    assert templates.render(CONFIG, {"x": 3}) == "3"


@pytest.mark.parametrize("name", ["x.j2", "WELCOME.md.j2"])
def test_a_template_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Git carries links: what they lead to (an operator's private key, .git/config) would be in every WELCOME.md."""
    (tmp_path / "secret").write_text("canary")
    folder = _folder(tmp_path / "templates")
    path = folder / name
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(TemplateError, match="link out of"):
        Templates.load(folder)


def test_a_folder_of_templates_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "elsewhere" / "templates")
    (tmp_path / "templates").symlink_to(folder)
    with pytest.raises(TemplateError, match="link out of"):
        Templates.load(tmp_path / "templates")


def test_links_between_templates_are_followed(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "templates")
    (folder / "x.j2").symlink_to(WELCOME)
    assert "x.j2" in Templates.load(folder).sources
