"""The supervisor itself: starts the processes of a plan, restarts what dies, rotates logs, stops everything in order.

Decisions are made elsewhere (backoff, lifecycle, rotation, diagnose); this module carries them out.
"""

import asyncio
import functools
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from planoai import __version__
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.backoff import BackoffPolicy, next_restart
from planoai.supervisor.child import Child, start_child
from planoai.supervisor.control import control_socket, serve_control
from planoai.supervisor.diagnose import exit_words, reason_lines
from planoai.supervisor.identity import own_identity
from planoai.supervisor.lifecycle import BecameReady, Died, Event, ProcessRecord, Started, Stopped, advance
from planoai.supervisor.probe import check_ready, http_status
from planoai.supervisor.progress import GatewayReady, ProcessReady, Progress
from planoai.supervisor.rotation import RotationPolicy, rotate
from planoai.supervisor.spec import HttpOk, ProcessSpec, ReadyCheck, RunPlan
from planoai.supervisor.state import GatewayPhase, State, remove_state, write_state
from planoai.supervisor.waiting import first_of


@dataclass(frozen=True)
class Settings:
    """How patient the supervisor is."""

    #: Within this time a process must be ready; at the start: all of them, and the ready URLs.
    start_timeout_s: float = 60.0
    ready_poll_s: float = 0.02
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    rotation: RotationPolicy = field(default_factory=RotationPolicy)


@dataclass(frozen=True)
class _Trouble:
    """Why a process is not running (any more)."""

    reason: str
    log_lines: tuple[str, ...] = ()


class _Managed:
    """A process of the plan: its specification, what is known of it, and its child while there is one."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.record = ProcessRecord(name=spec.name, log_file=str(spec.log_file))
        self.child: Child | None = None
        self.started = 0.0
        self.ready_since: float | None = None
        #: What the last ready check saw instead of what it should.
        self.not_ready = "" if spec.ready is None else "not asked yet"

    def note_not_ready(self, seen: str) -> None:
        """Remember what the ready check saw last."""
        self.not_ready = seen

    def running(self) -> Child:
        """Its child, which there must be."""
        if self.child is None:
            raise RuntimeError(f"{self.spec.name} was not started")
        return self.child

    def trouble(self, returncode: int) -> _Trouble:
        """Why the child ended."""
        return _Trouble(exit_words(returncode), reason_lines(self.running().said()))


class Supervisor:
    """Runs one plan. Make one, call `run()` in the main thread's event loop, end it with `stop()`."""

    def __init__(
        self,
        plan: RunPlan,
        home: PlanoHome,
        settings: Settings,
        *,
        notify: Callable[[Progress], None],
        log: logging.Logger,
        foreground: bool = False,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._home = home
        self._settings = settings
        self._notify = notify
        self._log = log
        self._foreground = foreground
        self._wall_clock = wall_clock
        self._monotonic = monotonic
        self._identity = own_identity()
        self._started_at = wall_clock()
        self._phase = GatewayPhase.STARTING
        self._managed = tuple(_Managed(spec) for spec in plan.processes)
        #: Ready URL → what it answered last instead of 200.
        self._unanswered: dict[str, str] = {}
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    def stop(self, why: str) -> None:
        """End `run()`; a second call ends what still runs without further grace."""
        self._log.info("stopping: %s", why)
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def run(self) -> None:
        """Start, keep running, and stop everything when told to. Nothing is left when it returns or raises.

        Raises PlanoError with the reason when the gateway does not get ready.
        """
        operations = {"status": self._answer_status, "stop": self._answer_stop}
        self._save()
        try:
            async with serve_control(control_socket(self._home), operations):
                try:
                    if await self._start():
                        await self._keep_running()
                finally:
                    await self._stop_all()
        finally:
            remove_state(self._home)

    def state(self) -> State:
        """What is going on, without secrets."""
        return State(
            planoai_version=__version__,
            phase=self._phase,
            supervisor=self._identity,
            foreground=self._foreground,
            config_path=str(self._plan.config_path),
            started_at=self._started_at,
            processes=tuple(each.record for each in self._managed),
            listeners=self._plan.listeners,
            channels=self._plan.channels,
            ready_urls=self._plan.ready_urls,
            logs=str(self._home.logs),
            stop_grace_s=sum(max(each.spec.stop_grace_s for each in group) for group in self._stop_order()),
        )

    # Start

    async def _start(self) -> bool:
        """Whether everything is ready; False when it was told to stop meanwhile. Raises PlanoError."""
        begin = self._monotonic()
        self._log.info("starting %s", self._plan.config_path)
        await self._rotate_logs()
        self._make_logs_private()
        for managed in self._managed:
            try:
                await self._launch(managed)
            except OSError as error:
                raise PlanoError(
                    f"{managed.spec.name} could not be started: {managed.spec.argv[0]}: {error.strerror or error}",
                    "Check that the file is there, and that you may run it.",
                ) from None
        needed = [each for each in self._managed if not each.spec.optional]
        deaths = [each.running().wait() for each in needed]
        won = await first_of(
            self._stopping.wait(), *deaths, self._all_ready(), timeout_s=self._settings.start_timeout_s
        )
        if won is None:
            raise self._not_ready()
        if won == 0:
            return False
        if won <= len(needed):
            raise await self._died_early(needed[won - 1])
        self._phase = GatewayPhase.RUNNING
        self._save()
        self._log.info("ready after %.2f s", self._monotonic() - begin)
        self._notify(GatewayReady(after_s=self._monotonic() - begin))
        return True

    async def _launch(self, managed: _Managed) -> None:
        if managed.child is not None:
            managed.child.close()
            managed.child = None
        managed.ready_since = None
        managed.started = self._monotonic()
        managed.child = await start_child(managed.spec)
        self._record(managed, Started(managed.child.identity))
        self._log.info("%s: started, pid %d", managed.spec.name, managed.child.pid)

    async def _all_ready(self) -> None:
        async with asyncio.TaskGroup() as group:
            for managed in self._managed:
                if not managed.spec.optional:
                    group.create_task(self._until_ready(managed))
        for url in self._plan.ready_urls:
            await self._poll(HttpOk(url), functools.partial(self._unanswered.__setitem__, url))
            self._unanswered.pop(url, None)

    async def _until_ready(self, managed: _Managed) -> None:
        child = managed.running()
        await child.feed()
        if managed.spec.ready is not None:
            await self._poll(managed.spec.ready, managed.note_not_ready)
        managed.ready_since = self._monotonic()
        after_s = managed.ready_since - managed.started
        self._record(managed, BecameReady())
        self._log.info("%s: ready after %.2f s", managed.spec.name, after_s)
        self._notify(ProcessReady(name=managed.spec.name, pid=child.pid, after_s=after_s))

    async def _poll(self, check: ReadyCheck, note: Callable[[str], None]) -> None:
        """Return once `check` passes; what it sees until then goes to `note`."""
        while (seen := await check_ready(check)) is not None:
            note(seen)
            await asyncio.sleep(self._settings.ready_poll_s)

    async def _died_early(self, managed: _Managed) -> PlanoError:
        trouble = managed.trouble(await managed.running().wait())
        self._log.error("%s: %s before the gateway was ready", managed.spec.name, trouble.reason)
        return PlanoError(
            f"{managed.spec.name} stopped before it was ready ({trouble.reason}).",
            f"The whole log: {managed.spec.log_file}",
            details=trouble.log_lines or ("It wrote nothing to its log.",),
        )

    def _not_ready(self) -> PlanoError:
        late = [each for each in self._managed if each.ready_since is None and not each.spec.optional]
        if late:
            waited_for = ", ".join(f"{each.spec.name} ({each.not_ready})" for each in late)
        else:
            waited_for = ", ".join(f"{url} ({seen})" for url, seen in self._unanswered.items())
        details: list[str] = []
        for each in late or self._managed:
            lines = reason_lines(each.running().said(), warnings_too=True)
            details += [f"{each.spec.name}: {line}" for line in lines]
        message = f"Plano was not ready within {self._settings.start_timeout_s:g} s; still waiting for {waited_for}."
        self._log.error("%s", message)
        return PlanoError(message, f"The logs: {self._home.logs}", details=tuple(details))

    # While it runs

    async def _keep_running(self) -> None:
        async with asyncio.TaskGroup() as group:
            for managed in self._managed:
                group.create_task(self._keep(managed))
            group.create_task(self._keep_logs_small())

    async def _keep(self, managed: _Managed) -> None:
        trouble: _Trouble | None = None
        if managed.spec.optional and managed.ready_since is None:
            trouble = await self._see_ready(managed)
        while True:
            if trouble is None:
                child = managed.running()
                await first_of(self._stopping.wait(), child.wait())
                if self._stopping.is_set():
                    return
                trouble = managed.trouble(await child.wait())
            delay_s = self._note_death(managed, trouble)
            await first_of(self._stopping.wait(), timeout_s=delay_s)
            if self._stopping.is_set():
                return
            trouble = await self._start_again(managed)

    def _note_death(self, managed: _Managed, trouble: _Trouble) -> float:
        ready_for_s = 0.0 if managed.ready_since is None else self._monotonic() - managed.ready_since
        decision = next_restart(self._settings.backoff, managed.record.failures_in_a_row, ready_for_s)
        self._log.error(
            "%s: %s; starting it again in %.1f s%s",
            managed.spec.name,
            trouble.reason,
            decision.delay_s,
            "".join(f"\n    {line}" for line in trouble.log_lines),
        )
        self._record(managed, Died(trouble.reason, trouble.log_lines, decision.delay_s, decision.failures_in_a_row))
        return decision.delay_s

    async def _start_again(self, managed: _Managed) -> _Trouble | None:
        """None when it is ready again, or everything is to stop."""
        try:
            await self._launch(managed)
        except OSError as error:
            return _Trouble(f"could not be started: {error.strerror or error}")
        return await self._see_ready(managed)

    async def _see_ready(self, managed: _Managed) -> _Trouble | None:
        """Wait until it is ready; None when it is, or everything is to stop."""
        child, timeout_s = managed.running(), self._settings.start_timeout_s
        won = await first_of(self._stopping.wait(), child.wait(), self._until_ready(managed), timeout_s=timeout_s)
        if won == 1:
            return managed.trouble(await child.wait())
        if won is None:
            await child.kill()
            lines = reason_lines(child.said(), warnings_too=True)
            return _Trouble(f"was not ready within {timeout_s:g} s ({managed.not_ready})", lines)
        return None

    # Logs

    async def _keep_logs_small(self) -> None:
        while not self._stopping.is_set():
            await first_of(self._stopping.wait(), timeout_s=self._settings.rotation.interval_s)
            await self._rotate_logs()

    async def _rotate_logs(self) -> None:
        rotated = [log for log in self._logs() if self._rotate(log)]
        # Before the start nobody has them open.
        if rotated and self._phase is GatewayPhase.RUNNING:
            # Envoy's admin interface: POST /reopen_logs reopens every file that it writes, access logs and its own.
            try:
                async with asyncio.timeout(5):
                    await http_status("POST", "http://envoy/reopen_logs", self._plan.admin_socket)
            except (OSError, ValueError) as error:
                self._log.warning("Envoy was not told to reopen its logs: %s", error)

    def _logs(self) -> list[Path]:
        own = self._home.logs / "supervisor.log"
        return sorted({*self._plan.rotated_logs, *(each.spec.log_file for each in self._managed), own})

    def _make_logs_private(self) -> None:
        """Others may read a log that an older version made, or `envoy --mode validate` under the caller's umask."""
        for log in self._logs():
            try:
                log.chmod(0o600)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._log.warning("%s could not be made private: %s", log, error)

    def _rotate(self, log: Path) -> bool:
        try:
            return rotate(self._settings.rotation, log)
        except OSError as error:
            self._log.warning("%s was not rotated: %s", log, error)
            return False

    # Stop

    async def _stop_all(self) -> None:
        self._phase = GatewayPhase.STOPPING
        self._save()
        for together in self._stop_order():
            async with asyncio.TaskGroup() as group:
                for managed in together:
                    group.create_task(self._stop_one(managed))

    def _stop_order(self) -> list[list[_Managed]]:
        """The reverse of the start. Neighbours with the same command line (workers) are stopped together."""
        return [list(same) for _, same in itertools.groupby(reversed(self._managed), key=lambda each: each.spec.argv)]

    async def _stop_one(self, managed: _Managed) -> None:
        if managed.child is None:
            return
        await managed.child.stop(self._hurry)
        managed.child.close()
        managed.child = None
        self._record(managed, Stopped())
        self._log.info("%s: stopped", managed.spec.name)

    # State

    def _record(self, managed: _Managed, event: Event) -> None:
        managed.record = advance(managed.record, event, self._wall_clock())
        self._save()

    def _save(self) -> None:
        try:
            write_state(self._home, self.state())
        except OSError as error:
            # A full disk must not end a gateway that works.
            self._log.warning("the state was not written: %s", error)

    async def _answer_status(self) -> State:
        return self.state()

    async def _answer_stop(self) -> dict[str, int]:
        self.stop("told to by planoai")
        return {"pid": self._identity.pid}
