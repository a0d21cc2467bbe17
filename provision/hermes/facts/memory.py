"""The services that keep an agent's long-term memory (`memory.provider`): they get every conversation.

From `plugins/memory/` of Hermes 0.19.0; 0.16.0 and 0.18.2 have the same eight. A user's own plug-in may add others.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple


class MemoryService(NamedTuple):
    """A service: its URL (empty for a program on this machine), the variables with its key and its URL, and its file in the home.

    `elsewhere`: its settings may also be in a file outside of the home.
    """

    url: str
    key_env: str
    url_env: str = ""
    file: str = ""
    elsewhere: bool = False


MEMORY_SERVICES: Final = MappingProxyType(
    {
        "honcho": MemoryService("https://api.honcho.dev", "HONCHO_API_KEY", "HONCHO_BASE_URL", "honcho.json", True),
        "mem0": MemoryService("https://api.mem0.ai", "MEM0_API_KEY", "MEM0_HOST", "mem0.json"),
        "hindsight": MemoryService(
            "https://api.hindsight.vectorize.io",
            "HINDSIGHT_API_KEY",
            "HINDSIGHT_API_URL",
            "hindsight/config.json",
            True,
        ),
        "supermemory": MemoryService(
            "https://api.supermemory.ai", "SUPERMEMORY_API_KEY", "SUPERMEMORY_BASE_URL", "supermemory.json"
        ),
        "retaindb": MemoryService("https://api.retaindb.com", "RETAINDB_API_KEY", "RETAINDB_BASE_URL"),
        "openviking": MemoryService("http://127.0.0.1:1933", "OPENVIKING_API_KEY", "OPENVIKING_ENDPOINT", "", True),
        "byterover": MemoryService("", "BRV_API_KEY", "", "", True),
    }
)
LOCAL_MEMORY: Final = frozenset({"holographic"})
"""Memory in a database of the home."""
MEMORY_FILES: Final = tuple(service.file for service in MEMORY_SERVICES.values() if service.file)
