"""plano_router.service: questions over gRPC. That they travel whole is tested with brightstaff's side of it."""

from brightstaff.pb.router_pb2 import Question as Message
from brightstaff.pb.router_pb2 import Route as RouteMessage
from brightstaff.pb.router_pb2 import Turn as TurnMessage
from plano_router.answer import Route
from plano_router.question import Question
from plano_router.reading import Turn
from plano_router.service import question_of


def test_the_message_as_plain_data() -> None:
    """Every field; an unknown role counts as the user's."""
    message = Message(
        text="t",
        context="c",
        turns=[TurnMessage(role="assistant", text="a"), TurnMessage(role="?", text="u")],
        routes=[RouteMessage(name="n", description="d", examples=["e"])],
        timeout_ms=500,
    )
    turns = (Turn("assistant", "a"), Turn("user", "u"))
    assert Question("t", "c", turns, (Route("n", "d", ("e",)),), 0.5) == question_of(message)
