"""Background processes: each belongs to a state directory and is ended with its children.

A process id can be given to a stranger once its owner is gone. So every process carries its state directory in its
environment, children inherit it, and nothing without that mark is ever signalled.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalError
from local.waiting import wait_for

MARK = "BELVO_INGEST_STATE"
GRACE_SECONDS = 10
START_SECONDS = 10


def start(argv: list[str], env: dict[str, str], state: Path, out: Path, err: Path | None = None) -> int:
    """Starts `argv` with exactly `env`, its output going to files, and returns its process id."""
    with out.open("ab") as stdout, (err or out).open("ab") as stderr:
        process = subprocess.Popen(
            argv,
            env={**env, MARK: str(state)},
            cwd=state,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            # Ctrl-C in the terminal is for the command in front, not for the stack behind it.
            start_new_session=True,
        )
    # For a moment after it has started, a program's environment, and with it our mark, cannot be read yet.
    wait_for(f"{argv[0]} to start", lambda: alive(process.pid, state) or process.poll() is not None, START_SECONDS)
    return process.pid


def alive(pid: int, state: Path) -> bool:
    """Whether `pid` runs and belongs to this state directory."""
    _reap(pid)
    # The environment of a process that has ended reads as empty.
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{MARK}={state}".encode() in variables


def require_alive(name: str, pid: int, state: Path, log: Path) -> None:
    """Fails with the end of its log if the process is gone."""
    if not alive(pid, state):
        raise LocalError(f"{name} ended while it was starting. The end of {log}:\n{tail(log)}")


def stop(pid: int, state: Path) -> None:
    """Ends one process of this state directory, if it still is one: politely, then by force after ten seconds."""
    _end(lambda: [pid] if alive(pid, state) else [])


def stop_all(state: Path) -> None:
    """Ends the processes of this state directory: politely, then by force after ten seconds."""
    _end(lambda: list(_members(state)))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Holds off Ctrl-C: a second one, from an impatient user, must not leave half of the processes behind."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log, or nothing if there is none yet."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _end(living: Callable[[], list[int]]) -> None:
    _signal(living(), signal.SIGTERM)
    with contextlib.suppress(LocalError):
        wait_for("processes to end", lambda: not living(), GRACE_SECONDS)
        return
    _signal(living(), signal.SIGKILL)
    wait_for("processes to end when killed", lambda: not living(), GRACE_SECONDS)


def _members(state: Path) -> Iterator[int]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return (pid for pid in pids if alive(pid, state))


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _reap(pid: int) -> None:
    """Takes the exit status of a child of ours, so that it does not stay a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
