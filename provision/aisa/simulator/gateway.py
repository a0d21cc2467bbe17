"""The rules of the simulated gateway: one request in, one reply out. No I/O. The caller holds the lock on the state."""

from __future__ import annotations

import datetime as dt
import json
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.aisa.simulator.model_replies import CHAT, MESSAGES, RESPONSES, model_reply
from provision.aisa.simulator.refusals import STATUS, Shape, error_body
from provision.aisa.simulator.state import (
    AUTH_CODES,
    CALL_CODES,
    KeyRecord,
    KeyState,
    ModelFault,
    Reply,
    Window,
    key_wait_s,
    retry_after,
)
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provision.aisa.catalogue import Catalogue

_MODES = {CHAT: ApiMode.CHAT_COMPLETIONS, RESPONSES: ApiMode.CODEX_RESPONSES, MESSAGES: ApiMode.ANTHROPIC_MESSAGES}
_TYPES = {
    ApiMode.CHAT_COMPLETIONS: "openai",
    ApiMode.CODEX_RESPONSES: "openai-response",
    ApiMode.ANTHROPIC_MESSAGES: "anthropic",
}


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """One request. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def key(self) -> tuple[str | None, str | None]:
        """The API key, and the header that has it. Messages also accepts `x-api-key`."""
        bearer = self.headers.get("authorization", "")
        if bearer[:7].lower() == "bearer " and bearer[7:].strip():
            return bearer[7:].strip(), "authorization"
        if self.headers.get("x-api-key"):
            return self.headers["x-api-key"], "x-api-key"
        return None, None

    def fields(self) -> dict[str, Any]:
        """The JSON body, or an empty dict if it is not an object."""
        try:
            body = json.loads(self.body) if self.body else {}
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}


@dataclass(slots=True)
class Script:
    """A fixed reply to matching requests. `times` is how often, None for always."""

    reply: Reply
    path: str | None
    key: str | None
    model: str | None
    times: int | None

    def matches(self, request: SimulatedRequest, key: str | None, model: str | None) -> bool:
        wanted = ((self.path, request.path), (self.key, key), (self.model, model))
        return self.times != 0 and all(want is None or want == have for want, have in wanted)


@dataclass(slots=True)
class Gateway:
    """The state of the simulated gateway."""

    catalogue: Catalogue
    models: dict[str, frozenset[ApiMode] | None]
    """Served ids and the modes that reach them. None means all modes."""
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    accept: Callable[[str], bool | KeyState] | None = None
    """Accepts keys that were not added, for example all keys of a benchmark, or gives their state."""
    faults: dict[str, list[tuple[ModelFault, int | None]]] = field(default_factory=dict)
    scripts: list[Script] = field(default_factory=list)
    window: Window | None = None
    retry_after: str = "seconds"
    shape: Shape = Shape.NESTED
    auth_available: bool = True
    models_need_key: bool = False
    endpoint_types: bool = False
    usage_served: bool = True
    usage_shape: str = "requests"
    """`requests`: counts by day; `rows`: a row for each day and model, with its price; `models`: the same inside of a day."""
    text: str = "I am {model}, served through AIsa."
    count: int = 0
    listing: dict[frozenset[str] | None, bytes] = field(default_factory=dict)

    def answer(
        self, request: SimulatedRequest, model: str | None, now: float, today: str
    ) -> tuple[Reply, KeyRecord | None]:
        """Return the reply and the record of the key. The caller counts the record's `open` requests."""
        self.count += 1
        key, header = request.key()
        for script in self.scripts:
            if script.matches(request, key, model):
                script.times = None if script.times is None else script.times - 1
                return script.reply, None
        if not request.path.startswith("/v1/"):
            return Reply.page(), None
        if header == "x-api-key" and request.path != MESSAGES:
            key = None
        record = self._record(key)
        return self._routed(request, key, record, model, (now, today)), record

    def _record(self, key: str | None) -> KeyRecord | None:
        if key is None:
            return None
        if key not in self.keys and self.accept is not None and (state := self.accept(key)):
            self.keys[key] = KeyRecord(state if isinstance(state, KeyState) else KeyState.VALID)
        return self.keys.get(key)

    def _routed(
        self,
        request: SimulatedRequest,
        key: str | None,
        record: KeyRecord | None,
        model: str | None,
        when: tuple[float, str],
    ) -> Reply:
        now, today = when
        if request.path == "/v1/models" and request.method == "GET" and not self.models_need_key:
            return self._limited(None, now) or self._list(record)
        refusal = self._authenticated(key, record) or self._limited(record, now)
        if refusal or record is None:
            return refusal or self.refuse("invalid_api_key")
        match request.method, request.path:
            case "GET", "/v1/models":
                return self._list(record)
            case "GET", "/v1/credits/balance":
                return self._balance(record)
            case "GET", "/v1/usage" if self.usage_served:
                return self._usage(record, request.query, today)
            case "POST", (("/v1/chat/completions" | "/v1/responses" | "/v1/messages") as path):
                record.used[today] = record.used.get(today, 0) + 1
                return self._call(path, record, model, request.fields())
        return self.refuse("not_found")

    def refuse(
        self, code: str, status: int | None = None, headers: tuple[tuple[str, str], ...] = (), **more: Any
    ) -> Reply:
        """A refusal in the configured shape."""
        kind = "text/plain; charset=utf-8" if self.shape is Shape.UPSTREAM else "application/json"
        body = error_body(code, self.shape, self.request_id(), **more)
        return Reply(status or STATUS[code], body, kind, headers)

    def request_id(self) -> str:
        """The id of the current request."""
        return f"req_sim_{self.count:08d}"

    def _authenticated(self, key: str | None, record: KeyRecord | None) -> Reply | None:
        if not self.auth_available:
            return self.refuse("authentication_unavailable")
        if key is None:
            return self.refuse("missing_api_key")
        if record is None:
            return self.refuse("invalid_api_key")
        if record.state is KeyState.FORBIDDEN:
            return self.refuse("insufficient_permissions")
        code = AUTH_CODES.get(record.state)
        return self.refuse(code) if code else None

    def _limited(self, record: KeyRecord | None, now: float) -> Reply | None:
        wait_s = self.window.wait_s(now) if self.window else 0.0
        if record is not None and not wait_s:
            wait_s = 60.0 if record.state is KeyState.RATE_LIMITED else key_wait_s(record, now)
        return self.refuse("rate_limit_exceeded", headers=retry_after(self.retry_after, wait_s)) if wait_s else None

    def _list(self, record: KeyRecord | None) -> Reply:
        allowed = record.models if record else None
        body = self.listing.get(allowed)
        if body is None:
            data = [self._listed(m) for m in self.models if allowed is None or m in allowed]
            body = self.listing[allowed] = json.dumps({"object": "list", "data": data}).encode()
        return Reply(200, body)

    def _listed(self, model: str) -> dict[str, Any]:
        entry = self.catalogue.models.get(model)
        owner = entry.provider.lower().replace(" ", "-") if entry else "aisa"
        listed: dict[str, Any] = {"id": model, "object": "model", "created": 1_780_000_000, "owned_by": owner}
        if self.endpoint_types:
            modes = self.models[model]
            listed["supported_endpoint_types"] = None if modes is None else [_TYPES[m] for m in _TYPES if m in modes]
        return listed

    def _balance(self, record: KeyRecord) -> Reply:
        spent = record.state is KeyState.KEY_BUDGET
        capped = record.cap_micros is not None
        unlimited = record.state is not KeyState.KEY_BUDGET and not capped
        left = max(0, (record.cap_micros or 0) - record.used_micros)
        empty = record.state in {KeyState.UNFUNDED, KeyState.WALLET_EMPTY}
        key = {
            "unlimited": unlimited,
            "remaining_micros_usd": None if unlimited else 0 if spent else left,
            "used_micros_usd": 10_000_000 if spent else record.used_micros,
        }
        balance = -1_200 if empty else record.balance_micros
        body = {"object": "credits.balance", "currency": "USD", "balance_micros_usd": balance, "api_key": key}
        return Reply(200, json.dumps(body).encode())

    def _usage(self, record: KeyRecord, query: str, today: str) -> Reply:
        asked = urllib.parse.parse_qs(query)
        end = _day(asked.get("end_time", [""])[0]) or dt.date.fromisoformat(today)
        start = _day(asked.get("start_time", [""])[0]) or end - dt.timedelta(days=6)
        days = min(max((end - start).days + 1, 0), 92)
        data = []
        for i in range(days):
            day = (start + dt.timedelta(days=i)).isoformat()
            row: dict[str, Any] = {"date": day, "start_time": f"{day}T00:00:00Z", "requests": record.used.get(day, 0)}
            priced = [
                {"model": model, "requests": 1, "cost_micros_usd": cost}
                for (on, model), cost in record.spent.items()
                if on == day
            ]
            if self.usage_shape == "rows" and priced:
                data += [{"date": day, **each} for each in priced]
            else:
                data.append({**row, "models": priced} if self.usage_shape == "models" else row)
        return Reply(200, json.dumps({"object": "list", "scope": "key", "data": data}).encode())

    def _call(self, path: str, record: KeyRecord, model: str | None, fields: dict[str, Any]) -> Reply:
        if not isinstance(model, str) or not model:
            return self.refuse("invalid_request")
        code = CALL_CODES.get(record.state)
        if code:
            return self.refuse(code)
        if record.models is not None and model not in record.models:
            return self.refuse("model_not_allowed")
        fault = self._fault(model)
        if fault is not None:
            return self._faulty(fault, model)
        if model not in self.models:
            return self.refuse("model_not_found")
        modes = self.models[model]
        if modes is not None and _MODES[path] not in modes:
            return self._wrong_route(model)
        usage = bool((fields.get("stream_options") or {}).get("include_usage"))
        text = self.text.replace("{model}", model)
        return model_reply(path, model, text, self.count, stream=bool(fields.get("stream")), usage=usage)

    def _fault(self, model: str) -> ModelFault | None:
        waiting = self.faults.get(model)
        if not waiting:
            return None
        fault, times = waiting[0]
        if times is not None:
            waiting[0] = (fault, times - 1)
            if times <= 1:
                waiting.pop(0)
        return fault

    def _faulty(self, fault: ModelFault, model: str) -> Reply:
        match fault:
            case ModelFault.ROUTE_NOT_SUPPORTED:
                return self._wrong_route(model)
            case ModelFault.NOT_FOUND_503:
                return self.refuse("model_not_found", 503)
            case ModelFault.ERROR_IN_200:
                return self.refuse("model_not_found", 200)
            case ModelFault.RATE_LIMITED:
                return self.refuse("rate_limit_exceeded", headers=retry_after(self.retry_after, 1.0))
            case _:
                return self.refuse(fault.value)

    def _wrong_route(self, model: str) -> Reply:
        modes = self.models.get(model) or frozenset()
        routes = [path for path, mode in _MODES.items() if mode in modes]
        return self.refuse("model_route_not_supported", supported_routes=routes)


def _day(text: str) -> dt.date | None:
    try:
        if text.replace(".", "", 1).isdigit():
            return dt.datetime.fromtimestamp(float(text), dt.UTC).date()
        return dt.date.fromisoformat(text[:10])
    except (ValueError, OverflowError, OSError):
        return None
