"""planoai.simulator.recorder: the last requests within bounds, and counts of all."""

import hashlib
import json

import pytest

from planoai.simulator.recorder import LARGEST_KEPT_BODY_BYTES, RecordedRequest, Recorder, recorded_from


def arrive(
    recorder: Recorder, body: bytes = b"{}", key: str | None = "sk-1", model: str | None = "m"
) -> RecordedRequest:
    return recorder.begin(
        method="POST",
        path="/v1/chat/completions?x=1",
        http_version="1.1",
        headers=[("X-A", "1"), ("x-a", "2")],
        body=body,
        key=key,
        model=model,
    )


def test_keeps_what_arrived() -> None:
    """Numbers from 1 on, the time by the clock that was given, headers in order and case."""
    recorder = Recorder(lambda: 12.5)
    arrive(recorder, b'{"a": 1}')
    (record,) = recorder.since()
    assert (1, 12.5, {"a": 1}) == (record.seq, record.time_s, record.json())
    assert ("1", ["1", "2"], None) == (record.header("X-a"), record.header_values("x-A"), record.header("y"))


def test_bounded_number() -> None:
    """Only the last ones are kept; numbers go on."""
    recorder = Recorder(lambda: 0, most_requests=3)
    for _ in range(5):
        arrive(recorder)
    assert [3, 4, 5] == [record.seq for record in recorder.since()]
    assert [5] == [record.seq for record in recorder.since(4)]
    recorder.clear()
    assert recorder.since() == []
    assert arrive(recorder).seq == 6


def test_bounded_bytes() -> None:
    """Old requests make room for new bodies, and the last one always stays."""
    recorder = Recorder(lambda: 0, most_bytes=100)
    for size in (60, 60, 30, 200):
        arrive(recorder, bytes(size))
        assert recorder.since()[-1].body_bytes == size
    assert [4] == [record.seq for record in recorder.since()]


def test_large_body_is_kept_as_hash() -> None:
    """Beyond 1 MB there is length and hash, up to there the bytes too."""
    recorder = Recorder(lambda: 0)
    kept = arrive(recorder, bytes(LARGEST_KEPT_BODY_BYTES))
    hashed = arrive(recorder, bytes(LARGEST_KEPT_BODY_BYTES + 1))
    assert (LARGEST_KEPT_BODY_BYTES, None) == (len(kept.body), kept.body_sha256)
    assert (b"", LARGEST_KEPT_BODY_BYTES + 1) == (hashed.body, hashed.body_bytes)
    assert hashlib.sha256(bytes(LARGEST_KEPT_BODY_BYTES + 1)).hexdigest() == hashed.sha256()


def test_nothing_kept_but_counted() -> None:
    """With no room for requests there are still counts."""
    recorder = Recorder(lambda: 0, most_requests=0)
    record = arrive(recorder, b"x")
    assert (b"", 1) == (record.body, record.body_bytes)
    assert ([], 1) == (recorder.since(), recorder.stats()["requests"])


def test_counts() -> None:
    """By key, model, status and rule."""
    recorder = Recorder(lambda: 0)
    first, second, _ = arrive(recorder), arrive(recorder, key=None, model=None), arrive(recorder)
    first.status, first.rule = 429, "rule 1"
    recorder.finish(first, 0.5)
    second.cancelled = True
    recorder.finish(second, 0.1)
    assert recorder.stats() == {
        "last_seq": 3,
        "requests": 3,
        "finished": 2,
        "cancelled": 1,
        "by_key": {"sk-1": 2, "(none)": 1},
        "by_model": {"m": 2, "(none)": 1},
        "by_status": {"429": 1, "(none)": 1},
        "by_rule": {"rule 1": 1, "default": 1},
    }
    assert (True, 0.5) == (first.finished, first.duration_s)


def test_counts_are_bounded() -> None:
    """Very many different keys are counted together."""
    recorder = Recorder(lambda: 0)
    for number in range(1100):
        arrive(recorder, key=f"sk-{number}")
    assert recorder.stats()["by_key"]["(others)"] == 100


@pytest.mark.parametrize("body", [b"", b'{"a":"\xe6\xa8\xa1"}', b"\xff\x00", bytes(LARGEST_KEPT_BODY_BYTES + 1)])
def test_survives_json(body: bytes) -> None:
    """What the control surface sends is the same record again, whatever the body."""
    recorder = Recorder(lambda: 1.5)
    record = arrive(recorder, body)
    recorder.finish(record, 0.25)
    again = recorded_from(json.loads(json.dumps(record.as_data())))
    assert record.sha256() == again.sha256()
    again.body_sha256 = record.body_sha256
    assert record == again


def test_repr_hides_the_key() -> None:
    """Printing a record shows neither key nor query nor body."""
    assert repr(arrive(Recorder(lambda: 0))) == "<request 1 POST /v1/chat/completions model='m' → None>"
