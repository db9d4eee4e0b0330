"""One service under the manager's eye: started, watched, replaced when it dies or hangs, stopped with the manager."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from data_capture.server.parent_watch import SUPERVISED_VARIABLE
from data_capture.server.ports import is_reserved
from data_capture.settings import REPOSITORY, Settings
from data_capture.supervisor.services import Health, Service, ask_health

log = logging.getLogger("data_capture.manager")

_LOOK_SECONDS = 0.1
_ASK_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_STARTING_SECONDS = 30.0
_FASTER_ONE_SECONDS = 2.0
_HUNG_SECONDS = 15.0
_ENDING_SECONDS = 7.5  # with an answer that is being waited for, everything is over within 10 s

_FIRST_DELAY_SECONDS = 0.5
_MAX_DELAY_SECONDS = 30.0
# Healthy for this long, a service is not one that can't start, which is what waiting longer and longer is for: what was
# killed is back at once, however often it is killed.
_RECOVERED_SECONDS = 1.0
_REMEMBERED_LINES = 20
_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")  # these are in the log file already


class SupervisedService(threading.Thread):
    """Keeps `service` running until `stopping` is set; then ends it, at once when `hurry` is set.

    Args:
        service: which.
        settings: what it is started with.
        say: prints a line.
        stopping, hurry: set by the manager.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        say: Callable[[str], None],
        stopping: threading.Event,
        hurry: threading.Event,
    ) -> None:
        super().__init__(name=service.name, daemon=True)
        self.service = service
        self.decided = threading.Event()
        """Set once the first start has succeeded or failed."""
        self.failed = False
        """The first start failed; the log says why."""
        self.adopted: Health | None = None
        """The health of the running service that is used as it is, and was not started here."""
        self._settings = settings
        self._say = say
        self._stopping, self._hurry = stopping, hurry
        self._last_lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)

    def run(self) -> None:
        """The thread's work."""
        try:
            self._keep_running()
        except Exception:
            log.exception("Watching the %s service failed", self.service.name)
            self.failed = True
        finally:
            self.decided.set()

    def _keep_running(self) -> None:
        delay_seconds = _FIRST_DELAY_SECONDS
        while not self._stopping.is_set():
            health = self._ask()
            if self._is_served_already(health):
                self._watch_adopted(health)
                continue
            healthy_seconds, trouble = self._run_once()
            if self._stopping.is_set():
                return
            if not self.decided.is_set() and self._is_served_soon():
                continue  # another manager, started at the same moment, was faster
            if not self.decided.is_set():
                self.failed = True
                log.error(
                    "The %s service did not start: it %s%s",
                    self.service.name,
                    trouble,
                    self._last_words(),
                )
                return
            if healthy_seconds >= _RECOVERED_SECONDS:
                delay_seconds = _FIRST_DELAY_SECONDS
            log.warning("The %s service %s; starting it again in %g s%s",
                        self.service.name, trouble, delay_seconds, self._last_words())  # fmt: skip
            self._stopping.wait(delay_seconds)
            delay_seconds = min(delay_seconds * 2, _MAX_DELAY_SECONDS)

    def _last_words(self) -> str:
        """What it wrote past its log: a traceback, or the sentence with which it refused to start."""
        words = [line for line in self._last_lines if not _LOG_LINE.match(line)]
        self._last_lines.clear()
        return "".join(f"\n    {line}" for line in words)

    def _ask(self) -> Health:
        return ask_health(self.service, self._settings, _ANSWER_SECONDS)

    def _is_served_already(self, health: Health) -> bool:
        return health.healthy and health.is_over(self._settings.database)

    def _is_served_soon(self) -> bool:
        began = time.monotonic()
        while not self._is_served_already(self._ask()):
            claimed = is_reserved(self._settings.host, self.service.port(self._settings))
            patience_seconds = _STARTING_SECONDS if claimed else _FASTER_ONE_SECONDS
            if time.monotonic() - began > patience_seconds or self._stopping.wait(_LOOK_SECONDS):
                return False
        return True

    def _watch_adopted(self, health: Health) -> None:
        """Returns when the service that someone else started has gone."""
        self.adopted = health
        self.decided.set()
        complained = False
        while not self._stopping.wait(_ASK_SECONDS):
            health = self._ask()
            if not health.listening:
                log.warning(
                    "The %s service that was running already has gone; starting one",
                    self.service.name,
                )
                self.adopted = None
                return
            if not health.healthy and not complained:
                log.warning("The %s service that was running already %s; it was not started here, and is left as it is",
                            self.service.name, health.says)  # fmt: skip
            complained = not health.healthy

    def _run_once(self) -> tuple[float, str]:
        """Starts the service and stays with it to its end: for how many seconds it was healthy, and what happened to it."""
        process = self._start()
        forwarding = threading.Thread(target=self._forward, args=(process,), daemon=True)
        forwarding.start()
        started_at = time.monotonic()
        healthy_at: float | None = None
        failing_since: float | None = started_at
        next_question_at = started_at
        trouble = complaint = ""
        while not trouble and not self._stopping.wait(_LOOK_SECONDS):
            if process.poll() is not None:
                trouble = _describe_end(process.returncode)
                break
            now = time.monotonic()
            if now < next_question_at:
                continue
            health = self._ask()
            if health.healthy and _is_answer_of(process, health):
                failing_since = None
                next_question_at = now + _ASK_SECONDS
                if healthy_at is None:
                    healthy_at = now
                    if self.decided.is_set():
                        log.info("The %s service is healthy again", self.service.name)
                    self.decided.set()
                elif complaint:
                    log.info("The %s service is healthy again", self.service.name)
                complaint = ""
                continue
            if healthy_at is not None and health.answering and _is_answer_of(process, health):
                # It is alive and says what is wrong, a full disk for one: starting it anew makes no room, and would stop the
                # reading. What a new start would mend, the service ends for by itself.
                failing_since = None
                next_question_at = now + _ASK_SECONDS
                if complaint != health.says:
                    complaint = health.says
                    log.warning("The %s service %s", self.service.name, complaint)
                continue
            failing_since = failing_since or now
            patience_seconds = _STARTING_SECONDS if healthy_at is None else _HUNG_SECONDS
            if time.monotonic() - failing_since > patience_seconds:
                trouble = f"was not healthy for {patience_seconds:g} s (it {health.says})"
        self._end(process)
        forwarding.join(timeout=1)
        return time.monotonic() - (healthy_at or time.monotonic()), trouble

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal reaches the manager alone, and the whole group can be killed.
        # Its standard input is the lifeline that ends it when the manager is gone.
        return subprocess.Popen(
            [sys.executable, str(REPOSITORY / self.service.script)],
            env={
                **os.environ,
                **self._settings.as_environment(),
                SUPERVISED_VARIABLE: "1",
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _forward(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for content in process.stdout:
            line = content.decode(errors="replace").rstrip()
            self._last_lines.append(line)
            self._say(f"[{self.service.name}] {line}")

    def _wait_for_end(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (
            process.poll() is None
            and time.monotonic() < deadline
            and not self._hurry.wait(_LOOK_SECONDS / 4)
        ):
            pass

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Ends what is left of the service: gracefully when it can, and in any case."""
        if process.poll() is None and not self._hurry.is_set():
            _signal_group(process.pid, signal.SIGCONT)  # one that is suspended can't hear
            deadline = time.monotonic() + _ENDING_SECONDS
            while (
                process.poll() is None and time.monotonic() < deadline and not self._hurry.is_set()
            ):
                # Again and again: Python's main thread, which has to act on it, sleeps on when another thread gets the signal,
                # as happens in a process that has just been resumed.
                process.terminate()
                self._wait_for_end(process, _ASK_SECONDS)
            if process.poll() is None and not self._hurry.is_set():
                log.warning(
                    "The %s service did not stop within %g s and was killed",
                    self.service.name,
                    _ENDING_SECONDS,
                )
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        with suppress(
            ChildProcessError
        ):  # as the first process of a container we inherit its worker
            while os.waitpid(-process.pid, os.WNOHANG) != (0, 0):
                pass


def _is_answer_of(process: subprocess.Popen[bytes], health: Health) -> bool:
    """Whether this very service answered, and not one that someone else started on its port at the same moment."""
    if health.process is None:
        return True  # it does not tell: it has another key, or a clock that differs
    try:
        return os.getpgid(health.process) == process.pid
    except ProcessLookupError:
        return False


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(
        ProcessLookupError, PermissionError
    ):  # macOS says "not permitted" of a group of zombies
        os.killpg(group, number)


def _describe_end(status: int) -> str:
    if status < 0:
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"
    return f"ended with exit status {status}"
