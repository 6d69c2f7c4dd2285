"""PlanoError."""

from planoai.errors import EXIT_FAILURE, PlanoError


def test_what_it_carries() -> None:
    """Message, remedy, details, exit code; as text it is the message."""
    error = PlanoError("It broke.", "Mend it.", details=("x",))

    assert ("It broke.", "Mend it.", ("x",), EXIT_FAILURE) == (
        error.message,
        error.remedy,
        error.details,
        error.exit_code,
    )
    assert "It broke." == str(error)
