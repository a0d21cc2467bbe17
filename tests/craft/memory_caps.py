"""Which tests read hostile input, and the memory that they may take: a limit of the address space, which their programs inherit.

A test is hostile by its name, by the name of its module, or by the marker `hostile`. tests/unit/test_memory_caps.py finds tests
whose text says that they read such input and that are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROWTH_BYTES = 1 << 30
"""How much a hostile test may take, beyond what the process has when it begins."""
_NAMES = re.compile(
    r"bomb|hostile|endless|oversized|huge|too_large|any_bytes|odd_file|flood|malformed|truncated|damaged|sparse|former_findings"
)
_MODULES = re.compile(r"attacks|nasty|bombs|template_limits")


def is_hostile(module: str, name: str) -> bool:
    """Whether a test reads hostile input, by its names."""
    return bool(_NAMES.search(name) or _MODULES.search(module))


@contextmanager
def capped() -> Iterator[None]:
    """Limit the address space of this process, and of programs that it starts. Where the system cannot, nothing is limited."""
    status = Path("/proc/self/status")
    if not status.exists():
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    (size_kib,) = re.findall(r"VmSize:\s*(\d+)", status.read_text())
    limit = int(size_kib) * 1024 + GROWTH_BYTES
    if before[1] != resource.RLIM_INFINITY:
        limit = min(limit, before[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
