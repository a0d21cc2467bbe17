"""Tests for the real Windows and the real macOS: each file is collected on its own system only."""

from __future__ import annotations

import sys

_FILES = {"win32": "test_real_windows.py", "darwin": "test_real_macos.py"}
collect_ignore = [file for platform, file in _FILES.items() if platform != sys.platform]
