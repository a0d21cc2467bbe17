"""What a model is for, from what the gateway or its name says.

Names mislead: `seed-*` chats while `seedream-*` and `seedance-*` draw and film, `*-non-reasoning` contains "reasoning".
Only patterns of models that Hermes must never use stand here; a name that matches none stays unclassified.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kind(StrEnum):
    TEXT = "text"
    REASONING = "reasoning"
    CODING = "coding"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    UNKNOWN = "unknown"


SUITABLE = frozenset({Kind.TEXT, Kind.REASONING, Kind.CODING})

_NAMES = (
    (Kind.IMAGE, re.compile(r"gpt-image-|seedream-|.*-image-preview$|wan.*-image|dall-e")),
    (Kind.VIDEO, re.compile(r".*-(?:t2v|i2v|r2v)(?:-|$)|(?:.*-)?seedance-|sora|veo")),
    (Kind.EMBEDDING, re.compile(r"text-embedding-|.*embedding")),
    (Kind.RERANK, re.compile(r".*rerank")),
    (Kind.AUDIO, re.compile(r"whisper|.*tts|.*-asr|.*transcribe|.*realtime")),
)

# words that gateways of this family put into `supported_endpoint_types`; some give routes instead
_CHAT_TYPES = {
    "openai": ApiMode.CHAT_COMPLETIONS,
    "chat": ApiMode.CHAT_COMPLETIONS,
    "chat_completions": ApiMode.CHAT_COMPLETIONS,
    "chat-completions": ApiMode.CHAT_COMPLETIONS,
    "chat/completions": ApiMode.CHAT_COMPLETIONS,
    "openai-response": ApiMode.CODEX_RESPONSES,
    "openai-responses": ApiMode.CODEX_RESPONSES,
    "responses": ApiMode.CODEX_RESPONSES,
    "anthropic": ApiMode.ANTHROPIC_MESSAGES,
    "messages": ApiMode.ANTHROPIC_MESSAGES,
}
_OTHER_TYPES = (
    (Kind.IMAGE, re.compile(r"image")),
    (Kind.VIDEO, re.compile(r"video")),
    (Kind.EMBEDDING, re.compile(r"embedding")),
    (Kind.RERANK, re.compile(r"rerank")),
    (Kind.AUDIO, re.compile(r"audio|speech|transcri|whisper|tts|realtime")),
)


def kind_by_name(model_id: str) -> Kind:
    """The kind that a name gives away, or UNKNOWN. A vendor prefix (`openai/…`) does not hide it."""
    name = model_id.lower().rpartition("/")[2]
    return next((kind for kind, pattern in _NAMES if pattern.match(name)), Kind.UNKNOWN)


def _plain(endpoint_type: str) -> str:
    return endpoint_type.strip().lower().removeprefix("/").removeprefix("v1/")


def kind_by_endpoint_types(endpoint_types: Iterable[str], otherwise: Kind) -> Kind:
    """The kind that the live list's endpoint types give; `otherwise` settles what they leave open.

    Gateways list image models as `openai` beside `image-generation`, so a mixture is decided by the table or the name;
    a mixture that these do not know is taken for media.
    """
    words = [_plain(t) for t in endpoint_types]
    chats = any(w in _CHAT_TYPES for w in words)
    other = next((kind for w in words for kind, pattern in _OTHER_TYPES if pattern.search(w)), None)
    if chats and other is None:
        return otherwise if otherwise in SUITABLE else Kind.TEXT
    if chats and otherwise in SUITABLE:
        return otherwise
    return other or Kind.UNKNOWN


def modes_by_endpoint_types(endpoint_types: Iterable[str]) -> frozenset[ApiMode]:
    """The API modes that endpoint types name; words we do not know name none."""
    return frozenset(mode for t in endpoint_types if (mode := _CHAT_TYPES.get(_plain(t))))
