"""The first version of each format, as it was written then: whatever comes later must still read it."""

from __future__ import annotations

from provision.feed.index import endpoint_id, parse_index
from provision.feed.state import PullState
from provision.receipts.receipt import Receipt, parse_receipt

RECEIPT_V1 = """{
  "schema": "provision/receipt/v1",
  "user": "ada",
  "profile": "engineering",
  "bundle": "fa828ab482ab97423a557708a20da59c1010fd782c9e93c571ff722a3ead9d9b",
  "generation": 1795365608,
  "expires": "2027-02-20T16:40:08Z",
  "key_fingerprint": "fp_zz4nns42h5jzd4gr",
  "route": {"url": "https://api.aisa.one/v1/chat/completions", "path": "/v1/chat/completions", "model": "gpt-5.2",
            "api_mode": "chat_completions", "key_fingerprint": "fp_zz4nns42h5jzd4gr", "as_expected": "yes"},
  "hazards": [{"id": "tls-trust", "severity": "note"}],
  "drift": [{"file": "config.yaml", "what": "model.default was changed"}],
  "hermes_version": "0.19.0",
  "provision_version": "0.1.0",
  "host": "vm",
  "made": "2026-11-22T16:40:19Z",
  "counter": 1795365619
}
"""
FEED_V1 = """{
  "schema": "provision/feed/v1",
  "part": "c07",
  "version": 1795365609,
  "created": "2026-11-22T16:40:09Z",
  "expires": "2026-11-29T16:40:09Z",
  "endpoints": {
    "c078f7cc35b66936256ea14cd6e34f78": {"bundle": "1315a04d03d8554211bd8b452d5b2b4468110f49eca26a0f34f725e5dc5df423",
    "size": 10240, "manifest": "fa828ab482ab97423a557708a20da59c1010fd782c9e93c571ff722a3ead9d9b", "generation": 1795365608}
  }
}
"""
PULL_STATE_V1 = """{"schema": "provision/pull-state/v1", "url": "https://f.example/e/gdm2vvcymdjaqxcdrvy5ff6l557ykojh",
"version": 7, "digest": null, "expires": 1795970409.0, "etag": null, "last_modified": null, "entry": null, "home": "/h",
"failures": 2, "not_before": 0.0, "last_good": null, "last_error": "down", "receipt_sent": 0.0, "receipt_digest": null}"""


def test_receipt_v1() -> None:
    receipt = parse_receipt(RECEIPT_V1.encode())
    assert isinstance(receipt, Receipt)
    assert (receipt.user, receipt.counter, receipt.dangers) == ("ada", 1795365619, ())


def test_feed_v1_and_the_derivation_of_names() -> None:
    """Addresses are given out once: how a name in the index follows from one must never change."""
    index = parse_index(FEED_V1.encode())
    assert list(index.endpoints) == [endpoint_id("gdm2vvcymdjaqxcdrvy5ff6l557ykojh")]


def test_pull_state_v1() -> None:
    assert PullState.model_validate_json(PULL_STATE_V1).failures == 2
