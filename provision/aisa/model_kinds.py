"""Classify models by the gateway's endpoint types or by their name.

Names can mislead: `seed-*` is for chat, `seedream-*` makes images and `seedance-*` makes video; `*-non-reasoning` contains
"reasoning". So the patterns cover only models that Hermes must never use. A name that matches none stays unclassified.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Iterable


class ModelKind(StrEnum):
    TEXT = "text"
    REASONING = "reasoning"
    CODING = "coding"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    UNKNOWN = "unknown"


SUITABLE = frozenset({ModelKind.TEXT, ModelKind.REASONING, ModelKind.CODING})

_NAMES = (
    (ModelKind.IMAGE, re.compile(r"gpt-image-|seedream-|.*-image-preview$|wan.*-image|dall-e")),
    (ModelKind.VIDEO, re.compile(r".*-(?:t2v|i2v|r2v)(?:-|$)|(?:.*-)?seedance-|sora|veo")),
    (ModelKind.EMBEDDING, re.compile(r"text-embedding-|.*embedding")),
    (ModelKind.RERANK, re.compile(r".*rerank")),
    (ModelKind.AUDIO, re.compile(r"whisper|.*tts|.*-asr|.*transcribe|.*realtime")),
)

# values that gateways of this family use in `supported_endpoint_types`; some use routes instead
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
    (ModelKind.IMAGE, re.compile(r"image")),
    (ModelKind.VIDEO, re.compile(r"video")),
    (ModelKind.EMBEDDING, re.compile(r"embedding")),
    (ModelKind.RERANK, re.compile(r"rerank")),
    (ModelKind.AUDIO, re.compile(r"audio|speech|transcri|whisper|tts|realtime")),
)


def effective_mode(mode: ApiMode) -> ApiMode:
    """The mode that Hermes really uses: for `auto` it is chat completions on AIsa's host."""
    return ApiMode.CHAT_COMPLETIONS if mode is ApiMode.AUTO else mode


def kind_by_name(model_id: str) -> ModelKind:
    """Return the kind that a name implies, or UNKNOWN. A vendor prefix (`openai/…`) is ignored."""
    name = model_id.lower().rpartition("/")[2]
    return next((kind for kind, pattern in _NAMES if pattern.match(name)), ModelKind.UNKNOWN)


def _plain(endpoint_type: str) -> str:
    return endpoint_type.strip().lower().removeprefix("/").removeprefix("v1/")


def kind_by_endpoint_types(endpoint_types: Iterable[str], otherwise: ModelKind) -> ModelKind:
    """Return the kind that endpoint types of the live list imply. `otherwise` decides ambiguous cases.

    Gateways list image models with both `openai` and `image-generation`. So `otherwise`, from the catalogue or the name, decides
    a mixture. If that is unknown too, the model counts as media.
    """
    words = [_plain(t) for t in endpoint_types]
    chats = any(w in _CHAT_TYPES for w in words)
    other = next((kind for w in words for kind, pattern in _OTHER_TYPES if pattern.search(w)), None)
    if chats and other is None:
        return otherwise if otherwise in SUITABLE else ModelKind.TEXT
    if chats and otherwise in SUITABLE:
        return otherwise
    return other or ModelKind.UNKNOWN


def modes_by_endpoint_types(endpoint_types: Iterable[str]) -> frozenset[ApiMode]:
    """Return the API modes that endpoint types name. Unknown values are ignored."""
    return frozenset(mode for t in endpoint_types if (mode := _CHAT_TYPES.get(_plain(t))))
