"""What was received and how it ended: the last requests, and counts of all. Bounded; the clock is passed in."""

import base64
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

#: Bodies beyond this are kept as length and hash only.
LARGEST_KEPT_BODY_BYTES = 1024 * 1024

_MOST_KEPT_BYTES = 64 * 1024 * 1024

#: Different keys, models or rules that are counted one by one; further ones are counted together.
_MOST_COUNTED = 1_000
_OTHERS = "(others)"


class RecordedRequest(msgspec.Struct, kw_only=True):
    """One request as it arrived, and what became of it. Holds whatever key it carried: not for logs."""

    #: Counts the requests of a simulator, from 1; part of the ids in its answer.
    seq: int
    #: Seconds since the epoch, when the body had arrived.
    time_s: float
    method: str
    #: With the query.
    path: str
    #: "1.1", as sent.
    http_version: str
    #: In order, names as they were written.
    headers: list[tuple[str, str]]
    #: Empty when the body is larger than 1 MB.
    body: bytes
    body_bytes: int
    #: Hexadecimal.
    body_sha256: str | None = None
    key: str | None = None
    model: str | None = None
    #: Which rule answered; "default" when none did.
    rule: str = "default"
    #: Of the answer; None before its headers, and when there was none.
    status: int | None = None
    #: Of the answer's body.
    sent_bytes: int = 0
    #: Nothing more will be sent: answered, cut, or the client has left.
    finished: bool = False
    #: The client left before the end.
    cancelled: bool = False
    #: From arrival to the end.
    duration_s: float | None = None

    def __repr__(self) -> str:
        return f"<request {self.seq} {self.method} {self.path.partition('?')[0]} model={self.model!r} → {self.status}>"

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None when it is not there."""
        return next((value for each, value in self.headers if each.lower() == name.lower()), None)

    def header_values(self, name: str) -> list[str]:
        """All values of a header, in order."""
        return [value for each, value in self.headers if each.lower() == name.lower()]

    def json(self) -> Any:
        """The body as data. Raises msgspec.DecodeError."""
        return msgspec.json.decode(self.body)

    def sha256(self) -> str:
        """The hash of the body, in hexadecimal."""
        return self.body_sha256 or hashlib.sha256(self.body).hexdigest()

    def as_data(self) -> dict[str, Any]:
        """Ready for JSON: the body as text where it is text (`body`), else as base64 (`body_base64`)."""
        data: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        data["body_sha256"] = self.sha256()
        try:
            data["body"] = self.body.decode()
        except UnicodeDecodeError:
            data["body"] = None
            data["body_base64"] = base64.b64encode(self.body).decode()
        return data


def recorded_from(data: Mapping[str, Any]) -> RecordedRequest:
    """What `as_data` gave, again as a record. Raises msgspec.ValidationError."""
    fields = dict(data)
    encoded = fields.pop("body_base64", None)
    text = fields.pop("body", None)
    body = base64.b64decode(encoded) if encoded is not None else (text or "").encode()
    record = msgspec.convert({**fields, "body": ""}, RecordedRequest)
    record.body = body
    return record


class Recorder:
    """The last requests and the counts of all of them since the last `clear`."""

    def __init__(
        self, clock_s: Callable[[], float], *, most_requests: int = 1000, most_bytes: int = _MOST_KEPT_BYTES
    ) -> None:
        self._clock_s = clock_s
        self.most_requests = most_requests
        self._most_bytes = most_bytes
        self._kept: deque[RecordedRequest] = deque()
        self._kept_bytes = 0
        self._last_seq = 0
        self._counts = _Counts()

    def begin(
        self,
        *,
        method: str,
        path: str,
        http_version: str,
        headers: list[tuple[str, str]],
        body: bytes,
        key: str | None,
        model: str | None,
    ) -> RecordedRequest:
        """A request has arrived. With `most_requests=0` it is only counted."""
        self._last_seq += 1
        large = len(body) > LARGEST_KEPT_BODY_BYTES
        keep = self.most_requests > 0
        record = RecordedRequest(
            seq=self._last_seq,
            time_s=self._clock_s(),
            method=method,
            path=path,
            http_version=http_version,
            headers=headers,
            body=b"" if large or not keep else body,
            body_bytes=len(body),
            body_sha256=hashlib.sha256(body).hexdigest() if large and keep else None,
            key=key,
            model=model,
        )
        self._counts.begin(record)
        if keep:
            self._keep(record)
        return record

    def finish(self, record: RecordedRequest, duration_s: float) -> None:
        """Nothing more will be sent."""
        record.finished = True
        record.duration_s = duration_s
        self._counts.finish(record)

    def since(self, seq: int = 0) -> list[RecordedRequest]:
        """The requests kept whose number is above `seq`, in the order in which they arrived."""
        return [record for record in tuple(self._kept) if record.seq > seq]

    def clear(self) -> None:
        """Forget requests and counts; the numbers go on."""
        self._kept.clear()
        self._kept_bytes = 0
        self._counts = _Counts()

    def stats(self) -> dict[str, Any]:
        """Counts, ready for JSON."""
        return {"last_seq": self._last_seq, **self._counts.as_data()}

    def _keep(self, record: RecordedRequest) -> None:
        self._kept.append(record)
        self._kept_bytes += len(record.body)
        while len(self._kept) > self.most_requests or (self._kept_bytes > self._most_bytes and len(self._kept) > 1):
            self._kept_bytes -= len(self._kept.popleft().body)


class _Counts:
    """How many requests there were, by what they were and how they ended."""

    def __init__(self) -> None:
        self.requests = 0
        self.finished = 0
        self.cancelled = 0
        self.by_key: Counter[str] = Counter()
        self.by_model: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.by_rule: Counter[str] = Counter()

    def begin(self, record: RecordedRequest) -> None:
        self.requests += 1
        _count(self.by_key, record.key or "(none)")
        _count(self.by_model, record.model or "(none)")

    def finish(self, record: RecordedRequest) -> None:
        self.finished += 1
        self.cancelled += record.cancelled
        _count(self.by_status, str(record.status or "(none)"))
        _count(self.by_rule, record.rule)

    def as_data(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "finished": self.finished,
            "cancelled": self.cancelled,
            "by_key": dict(self.by_key),
            "by_model": dict(self.by_model),
            "by_status": dict(self.by_status),
            "by_rule": dict(self.by_rule),
        }


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _MOST_COUNTED else _OTHERS] += 1
