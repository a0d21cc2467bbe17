"""Entry point of `provision` and `python -m provision`: handles Ctrl-C from the start, while the rest loads."""

from __future__ import annotations

import sys

from provision.errors import Exit


def main() -> None:
    """Run the command line of this process and exit."""
    if sys.argv[1:2] == ["__complete"]:
        from provision.cli.reference import complete  # noqa: PLC0415  a completion loads nothing else

        complete.main(sys.argv[2:])
        return
    try:
        from provision.cli import main as command_line  # noqa: PLC0415

        command_line.main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(Exit.PARTIAL)


if __name__ == "__main__":
    main()
