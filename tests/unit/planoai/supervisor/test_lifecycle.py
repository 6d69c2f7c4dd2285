"""The life of a process, event by event."""

from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.lifecycle import BecameReady, Died, LastExit, Phase, ProcessRecord, Started, Stopped, advance

FIRST = ProcessIdentity(pid=10, create_time=1.0)
SECOND = ProcessIdentity(pid=11, create_time=2.0)
NEW = ProcessRecord(name="envoy", log_file="/logs/envoy.log")
DEATH = Died(reason="exit status 1", log_lines=("why",), restart_in_s=0.5, failures_in_a_row=1)


def test_a_start_is_no_restart() -> None:
    """The first start counts no restart."""
    record = advance(NEW, Started(FIRST), now=100)

    assert (Phase.STARTING, FIRST, 100, None, 0) == (
        record.phase,
        record.identity,
        record.started_at,
        record.ready_at,
        record.restarts,
    )


def test_ready_keeps_the_time() -> None:
    """Since when it is ready."""
    record = advance(advance(NEW, Started(FIRST), now=100), BecameReady(), now=101)

    assert (Phase.READY, 100, 101) == (record.phase, record.started_at, record.ready_at)


def test_a_death_tells_why_and_when_it_goes_on() -> None:
    """No identity any more, the reason, the time of the next start."""
    ready = advance(advance(NEW, Started(FIRST), now=100), BecameReady(), now=101)
    record = advance(ready, DEATH, now=110)

    assert (Phase.RESTARTING, None, None) == (record.phase, record.identity, record.ready_at)
    assert 110.5 == record.next_start_at
    assert LastExit(at=110, reason="exit status 1", log_lines=("why",)) == record.last_exit


def test_a_restart_counts_and_remembers_the_last_exit() -> None:
    """Status still says why it was restarted."""
    dead = advance(advance(NEW, Started(FIRST), now=100), DEATH, now=110)
    record = advance(dead, Started(SECOND), now=111)

    assert (Phase.STARTING, SECOND, 1, None) == (record.phase, record.identity, record.restarts, record.next_start_at)
    assert record.last_exit is not None


def test_a_restart_that_fails_to_start_counts_none() -> None:
    """Two deaths without a start between them are not a restart."""
    dead = advance(advance(NEW, Started(FIRST), now=100), DEATH, now=110)

    assert 0 == advance(dead, DEATH, now=111).restarts


def test_stopped_has_no_identity() -> None:
    """What was told to stop is gone, and nothing is planned."""
    record = advance(advance(NEW, Started(FIRST), now=100), Stopped(), now=120)

    assert (Phase.STOPPED, None, None) == (record.phase, record.identity, record.next_start_at)
