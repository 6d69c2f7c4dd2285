"""A circuit breaker: what failed several times in a row is left alone for a while. Pure."""

from dataclasses import dataclass


@dataclass
class Breaker:
    """Counts failures in a row. Times are clock readings in seconds."""

    threshold: int = 3
    """So many failures in a row open it."""
    pause_s: float = 5.0
    """How long it stays open; doubled each time the trial after it fails."""
    longest_pause_s: float = 60.0
    failures: int = 0
    open_until_s: float = 0.0
    _pause_s: float = 0.0

    @property
    def is_tripped(self) -> bool:
        """Whether the last ones failed, so that the next one is a trial."""
        return self._pause_s > 0

    def allows(self, now_s: float) -> bool:
        """Whether to try. After the pause there is a single trial, until its outcome is known or a pause has passed."""
        if not self.is_tripped:
            return True
        if now_s < self.open_until_s:
            return False
        self.open_until_s = now_s + self._pause_s
        return True

    def note_success(self) -> bool:
        """It works. Whether it was tripped until now."""
        was_tripped = self.is_tripped
        self.failures, self.open_until_s, self._pause_s = 0, 0.0, 0.0
        return was_tripped

    def note_failure(self, now_s: float) -> bool:
        """It failed. Whether that tripped the breaker just now."""
        self.failures += 1
        if self.failures < self.threshold:
            return False
        tripped = not self.is_tripped
        self._pause_s = self.pause_s if tripped else min(self._pause_s * 2, self.longest_pause_s)
        self.open_until_s = now_s + self._pause_s
        return tripped
