"""The timer options of `provision pull`: install a timer, only write its files, remove it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli.context import Run
from provision.cli.endpoint.machine import endpoint_folder, this_platform
from provision.errors import UsageError
from provision.hermes.facts import names as facts
from provision.shell import shell_word
from provision.tls import BUNDLE_ENV

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.feed.index import Subscription
    from provision.feed.timer_definition import TimerJob

# variables that the timer's process would lack; a proxy with a password in it (an `@`) is skipped: others can read units
_CARRIED = ("PROVISION_CONFIG_DIR", facts.HOME_ENV, "SSL_CERT_FILE", BUNDLE_ENV, "HTTPS_PROXY", "NO_PROXY")


def pull_arguments(options: Mapping[str, Path | str | None]) -> tuple[str, ...]:
    """The command-line arguments that every later pull needs too, with absolute paths."""
    words: list[str] = []
    for name, value in options.items():
        if value is not None:
            words += [name, str(value.absolute()) if isinstance(value, Path) else value]
    return tuple(words)


def install_timer(run: Run, subscription: Subscription, every: str, options: tuple[str, ...]) -> None:
    """Remember the address unless another one works, write the timer's files and switch the timer on."""
    from provision.feed.pull import is_on_trial, remembered_state
    from provision.feed.state import write_state
    from provision.feed.timer_definition import timer_files
    from provision.feed.timer_install import (
        TimerError,
        link_at_login,
        run_all,
        starts_at_login,
        switch_off_commands,
        switch_on_commands,
        timer_folder,
        write_files,
    )

    platform, config = this_platform(), endpoint_folder().root
    files = timer_files(platform, _job(every, options))
    config.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_on_trial(config, subscription):
        write_state(config, remembered_state(config, subscription))
    folder = timer_folder(platform, os.environ, config)
    for path in write_files(folder, files):
        run.say(f"wrote {path}")
    if platform == "macos":  # launchd reads an agent only when it is loaded again, also one whose file was deleted
        _without_failure(switch_off_commands(platform))
    if platform == "linux":
        link_at_login(folder)
    try:
        run_all(switch_on_commands(platform, folder))
    except TimerError as e:
        if not starts_at_login(platform):
            raise
        run.say(f"pulls every {every} from the next login on: the timer could not be started now: {e.message}")
        return
    run.say(f"pulls every {every} from now on")


def apply_environ(settings: Sequence[str]) -> None:
    """Set the variables that a timer carries in its command line. Raises UsageError for any other."""
    for setting in settings:
        name, found, value = setting.partition("=")
        if not found or name not in _CARRIED:
            raise UsageError(f"invalid --environ {name!r}", hint=f"use NAME=VALUE with one of {', '.join(_CARRIED)}")
        os.environ[name] = value


def write_timer_files(run: Run, folder: Path, platform: str | None, every: str, options: tuple[str, ...]) -> None:
    """Write a timer's files for any platform, and print the commands that switch it on."""
    from provision.feed.timer_definition import timer_files
    from provision.feed.timer_install import switch_on_commands, write_files
    from provision.fleet.desired import Platform

    chosen = Platform(platform) if platform else this_platform()
    for path in write_files(folder, timer_files(chosen, _job(every, options))):
        run.result(f"{path}\n")
    for command in switch_on_commands(chosen, folder):
        run.say(
            "to switch the timer on: "
            + " ".join(shell_word(word, windows=chosen is Platform.WINDOWS) for word in command)
        )


def remove_timer(run: Run) -> None:
    """Switch the timer off and remove its files."""
    from provision.errors import NothingMatchedError
    from provision.feed.timer_install import TimerError, remove_files, run_all, switch_off_commands, timer_folder

    platform, config = this_platform(), endpoint_folder().root
    folder = timer_folder(platform, os.environ, config)
    try:
        run_all(switch_off_commands(platform))
    except TimerError as e:
        run.detail(e.message)
    removed = remove_files(platform, folder)
    for path in removed:
        run.say(f"removed {path}")
    if not removed:
        raise NothingMatchedError(f"no timer found in {folder}")


def _without_failure(commands: tuple[tuple[str, ...], ...]) -> None:
    from contextlib import suppress

    from provision.feed.timer_install import TimerError, run_all

    with suppress(TimerError):
        run_all(commands)


def _job(every: str, options: tuple[str, ...]) -> TimerJob:
    from provision.cli.options import parse_duration
    from provision.feed.timer_definition import TimerJob
    from provision.feed.timer_install import own_command, require_lasting, temporary_folders

    environ = {name: os.environ[name] for name in _CARRIED if "@" not in os.environ.get(name, "@")}
    if BUNDLE_ENV in environ:  # the timer runs in another folder
        environ[BUNDLE_ENV] = str(Path(environ[BUNDLE_ENV]).absolute())
    command = (*own_command(), "pull", "--scheduled", *options)
    require_lasting(command, Path.home(), temporary_folders(os.environ))
    return TimerJob(command, parse_duration(every, "--every"), environ)
