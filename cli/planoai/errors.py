"""The error that every command of planoai ends with: what happened, and what to do about it."""

#: Exit codes of every command; `--help` documents them.
EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
#: 128 + SIGINT, as shells report it.
EXIT_INTERRUPTED = 130


class PlanoError(Exception):
    """Something that the user can act on.

    `message` says what happened and where, `remedy` what to do, `details` are further lines (of a log, say) that are
    printed between the two. None of them may hold a key.
    """

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        details: tuple[str, ...] = (),
        exit_code: int = EXIT_FAILURE,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details
        self.exit_code = exit_code
