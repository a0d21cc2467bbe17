"""What crosses the pipe between a worker and the pool, and the order of work. (Real processes: integration tests.)"""

from __future__ import annotations

import pickle

import pytest
from leakcraft import LiteralDetector, known_key, match, raw

from provision.audit.workers import UnpicklableDetectorError, _from_fields, _pickled, _to_fields, _Unpacker
from provision.containers.blob import ContentKind, Unreadable
from provision.detect.rules.builtin import BUILTIN


def test_a_finding_arrives_as_it_was_sent() -> None:
    found = match("secret", start=7, known=known_key(), key="NAME", encodings=("base64",))
    sent = raw("/f", found, "where", ContentKind.GIT, before="a", after="b")
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(sent)
    assert _from_fields(pickle.loads(pickle.dumps(_to_fields(sent)))) == sent
    unread = Unreadable("/f", "why")
    assert _from_fields(_to_fields(unread)) is unread


def test_a_detector_with_functions_of_its_own_is_refused() -> None:
    detector = LiteralDetector()
    detector.scan = lambda data: []  # type: ignore[method-assign]
    with pytest.raises(UnpicklableDetectorError):
        _pickled(detector)  # type: ignore[arg-type]


def test_builtin_rules_are_sent_by_name() -> None:
    import io

    packed = _pickled([BUILTIN[0], BUILTIN[1]])  # type: ignore[arg-type]
    rules = _Unpacker(io.BytesIO(packed)).load()
    assert rules[0] is BUILTIN[0]
    assert rules[1] is BUILTIN[1]
