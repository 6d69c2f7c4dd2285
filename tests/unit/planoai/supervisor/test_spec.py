"""What the supervisor is given."""

from typing import Any

import msgspec
import pytest

from planoai.supervisor.spec import HttpOk, ProcessSpec, RunPlan, decode_plan, encode_plan


def test_a_plan_survives_the_pipe(fakes: Any) -> None:
    """Equal after encoding and decoding, with each kind of ready check."""
    plan: RunPlan = fakes.plan(
        fakes.server("brightstaff", stdin=b"\x00secret\xff"),
        fakes.spec("envoy", "idle", ready=HttpOk("http://envoy/ready", fakes.home.sockets / "admin.sock")),
        fakes.spec("router", "idle"),
        ready_urls=("http://127.0.0.1:1/readyz",),
        rotated_logs=(fakes.home.logs / "access_llm.log",),
    )

    assert plan == decode_plan(encode_plan(plan))


def test_half_a_plan_is_an_error(fakes: Any) -> None:
    """A cut pipe never starts half of a gateway."""
    data = encode_plan(fakes.plan(fakes.server("brightstaff")))

    with pytest.raises(msgspec.MsgspecError):
        decode_plan(data[:-1])


def test_secrets_are_not_shown(fakes: Any) -> None:
    """Neither the standard input nor the environment is in a repr."""
    spec: ProcessSpec = fakes.spec("a", "idle", stdin=b"sk-secret", environ={"TOKEN": "sk-other"})

    assert "sk-" not in repr(spec)
    assert "sk-" not in repr(fakes.plan(spec))
