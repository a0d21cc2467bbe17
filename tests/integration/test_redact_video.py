"""A real screen recording through ffmpeg and OCR: no frame shows the key, the sound stays, an interrupted run goes on."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import videocraft
from pictureproof import pieces_in, session, text_of

from provision.redact.session import CannotExamineError
from provision.redact.video import redact_file
from provision.redact.video.ffmpeg import VideoUnavailableError, frames_of, probe_video
from provision.redact.video.frame_watcher import FrameWatcher

if TYPE_CHECKING:
    from pathlib import Path

    from provision.redact.session import Session

SECONDS = 2


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    path = tmp_path_factory.mktemp("video") / "screen.mp4"
    return path, videocraft.record(path, SECONDS, 3)


def redact(path: Path, safe: Path, run: Session) -> None:
    with path.open("rb") as source, safe.open("wb") as target:
        redact_file(source, target, path.name, run)


def streams(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told


@pytest.mark.programs("ffmpeg", "ffprobe")
def test_an_interrupted_run_goes_on_and_no_frame_shows_a_key(
    screen: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, keys = screen
    journal = path.with_name(path.name + ".redacting")

    def stop(doing: str, done: int, total: int) -> None:
        assert total >= done
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        redact(path, tmp_path / "unfinished.mp4", dataclasses.replace(session(), progress=stop))
    assert (tmp_path / "unfinished.mp4").stat().st_size == 0
    kept = journal.read_text()
    assert len(kept.splitlines()) > 5
    assert pieces_in(kept, keys) == []
    journal.write_text(kept + '{"frame": 1')  # killed in the middle of a line

    examined = 0
    examine = FrameWatcher.examine

    def counted(self: FrameWatcher, number: int, frame: Any) -> Any:
        nonlocal examined
        examined += 1
        return examine(self, number, frame)

    monkeypatch.setattr(FrameWatcher, "examine", counted)
    run = session()
    redact(path, tmp_path / "safe.mp4", run)
    frames = list(frames_of(probe_video(tmp_path / "safe.mp4")))
    assert len(frames) == SECONDS * videocraft.FRAMES_A_SECOND
    assert examined <= len(frames) - 10
    assert [pieces_in(text_of(frame), keys) for frame in frames[::5]] == [[], [], [], []]
    assert (frames[-1].max(axis=2) < 16).sum() > 2000  # the recording's own ground is lighter
    assert run.notes.total >= 1
    assert any("sound" in remark.message for remark in run.notes.unsure)
    assert not journal.exists()

    told = streams(tmp_path / "safe.mp4")
    assert [s["codec_type"] for s in told["streams"]] == ["video", "audio"]
    assert "title" not in told["format"].get("tags", {})
    before = {s["codec_type"]: s for s in streams(path)["streams"]}["audio"]
    after = told["streams"][1]
    assert (after["codec_name"], after["sample_rate"]) == (before["codec_name"], before["sample_rate"])
    assert float(after["duration"]) == pytest.approx(float(before["duration"]), abs=0.1)


def test_what_is_no_video_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x20ftypisom" + b"\1" * 400)
    with pytest.raises(CannotExamineError):
        redact(broken, tmp_path / "safe.mp4", session())
    assert (tmp_path / "safe.mp4").stat().st_size == 0


@pytest.mark.programs("ffmpeg", "ffprobe")
def test_without_ffmpeg_the_error_says_what_to_install(
    screen: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VideoUnavailableError, match="need the program ff") as caught:
        redact(screen[0], tmp_path / "safe.mp4", session())
    assert "apt install ffmpeg" in caught.value.hint
