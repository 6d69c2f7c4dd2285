"""bench.measure: the order of the measurements, and waiting until a gateway is done."""

from bench.measure import cpu_per_answer_us, in_turn, settle

NAMES = ["a", "b", "c"]


def test_every_round_begins_with_another_one() -> None:
    """Nobody always follows the same one."""
    assert ["abc", "bca", "cab", "abc"] == ["".join(in_turn(round_, NAMES)) for round_ in range(4)]


def test_cpu_per_answer() -> None:
    """Seconds of CPU time become microseconds for each answer; without answers there is none."""
    assert [250.0, 0.0] == [cpu_per_answer_us(1.0, 1.5, 2000), cpu_per_answer_us(1.0, 1.5, 0)]


def settled_after(cpu_s: list[float]) -> int:
    """How many times it waited, with these readings of the CPU time."""
    waits: list[float] = []
    readings = iter(cpu_s)
    settle(lambda: next(readings), waits.append)
    return len(waits)


def test_settle_waits_while_there_is_work() -> None:
    """It goes on with the first step in which next to nothing was done."""
    assert 1 == settled_after([1.0, 1.0])
    assert 3 == settled_after([1.0, 1.1, 1.2, 1.201])


def test_settle_does_not_wait_for_ever() -> None:
    """What never rests is measured anyway."""
    assert 200 == settled_after([float(each) for each in range(300)])
