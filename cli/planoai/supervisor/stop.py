"""Stopping everything that one home started: the supervisor, and what it may have left when it was killed."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from planoai.home import PlanoHome
from planoai.supervisor.control import ask, control_socket
from planoai.supervisor.identity import ProcessIdentity, wait_until_gone
from planoai.supervisor.state import read_identities, read_state, remove_state, state_path

_SUPERVISOR_MARGIN_S = 5.0
_DEFAULT_GRACE_S = 30.0
_LEFTOVER_GRACE_S = 10.0
_KILL_WAIT_S = 5.0


@dataclass(frozen=True)
class StopReport:
    """What was done: names of processes that ran, and those of them that had to be killed."""

    stopped: tuple[str, ...] = ()
    killed: tuple[str, ...] = ()
    #: The supervisor had died before; its processes, or only its files, were still there.
    was_stale: bool = False
    #: Processes that nothing could end (they hang in the kernel).
    still_running: tuple[str, ...] = ()

    @property
    def nothing_ran(self) -> bool:
        """Whether there was nothing to stop."""
        return not self.stopped


def running_identities(home: PlanoHome) -> dict[str, ProcessIdentity]:
    """Name → identity of every process of this home that runs now."""
    known = read_identities(home)
    if "supervisor" not in known:
        # The state was lost or is unreadable: whoever listens on our private socket is ours.
        answer = ask(home, "status")
        pid = answer["supervisor"]["pid"] if isinstance(answer, dict) else None
        identity = ProcessIdentity.of(pid) if isinstance(pid, int) else None
        if identity is not None:
            known = {"supervisor": identity}
    return {name: identity for name, identity in known.items() if identity.is_alive()}


def stop_home(home: PlanoHome, *, leftover_grace_s: float = _LEFTOVER_GRACE_S) -> StopReport:
    """Stop everything of this home and clean up. A process that merely has a pid of ours is left alone."""
    had_state = state_path(home).exists()
    running = running_identities(home)
    killed: list[str] = []
    supervisor = running.get("supervisor")
    if supervisor is not None:
        state = read_state(home)
        grace_s = _DEFAULT_GRACE_S if state is None else state.stop_grace_s
        if ask(home, "stop") is None:
            supervisor.send(signal.SIGTERM)
        if wait_until_gone([supervisor], grace_s + _SUPERVISOR_MARGIN_S):
            supervisor.send(signal.SIGKILL)
            wait_until_gone([supervisor], _KILL_WAIT_S)
            killed.append("supervisor")
    # Started between our first look and the stop, or left by a supervisor that was killed.
    children = {**running, **running_identities(home)}
    children.pop("supervisor", None)
    killed += _stop_all(children, leftover_grace_s)
    everything = {**running, **children}
    still = tuple(name for name, identity in everything.items() if identity.is_alive())
    if not still:
        remove_state(home)
        control_socket(home).unlink(missing_ok=True)
    return StopReport(
        stopped=tuple(everything),
        killed=tuple(killed),
        was_stale=supervisor is None and had_state,
        still_running=still,
    )


def _stop_all(identities: Mapping[str, ProcessIdentity], grace_s: float) -> list[str]:
    """Names of those that had to be killed."""
    for identity in identities.values():
        identity.send(signal.SIGTERM)
    left = wait_until_gone(identities.values(), grace_s)
    for identity in left:
        identity.send(signal.SIGKILL)
    wait_until_gone(left, _KILL_WAIT_S)
    return [name for name, identity in identities.items() if identity in left]
