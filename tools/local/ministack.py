"""The local AWS: one MiniStack process, behind its gate, on a free port of the loopback address."""

import secrets
import socket
import sys
from pathlib import Path

from local import aws, loopback, paths, processes
from local.aws import Endpoint
from local.errors import LocalError
from local.waiting import wait_for

START_SECONDS = 60
ATTEMPTS = 3


def start(state: Path) -> tuple[int, Endpoint]:
    """Starts MiniStack and returns its process id and endpoint, once it answers."""
    for attempt in range(1, ATTEMPTS + 1):
        port = free_port()
        endpoint = Endpoint(f"http://127.0.0.1:{port}", secrets.token_hex(16))
        environment = _environment(state, port, endpoint)
        pid = processes.start([sys.executable, "-m", "local.gate"], environment, state, state / "ministack.log")
        try:
            _wait_until_healthy(pid, endpoint.url, state)
            return pid, endpoint
        except LocalError:
            # Between finding a free port and using it, another process may have taken it.
            if processes.alive(pid, state) or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def free_port() -> int:
    """A port of the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_free(host: str, port: int) -> bool:
    """Whether one can listen on this port of this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # A port that was in use a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True


def _environment(state: Path, port: int, endpoint: Endpoint) -> dict[str, str]:
    scratch = state / "tmp"
    scratch.mkdir(exist_ok=True)
    return {
        # MiniStack hands its own environment to the functions: without AWS_ENDPOINT_URL they would call the real AWS.
        **aws.environment(endpoint),
        "PYTHONPATH": str(paths.ROOT / "tools"),
        "TMPDIR": str(scratch),
        "HOME": str(scratch),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "LAMBDA_EXECUTOR": "local",
        # Functions run in sessions of their roles: a call that the template's policies do not allow is refused.
        "AUTH": "true",
        # These two would listen on ports of their own.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def _wait_until_healthy(pid: int, endpoint: str, state: Path) -> None:
    def healthy() -> bool:
        processes.require_alive("MiniStack", pid, state, state / "ministack.log")
        return _answers(endpoint)

    wait_for(f"MiniStack to answer at {endpoint}", healthy, START_SECONDS)


def _answers(endpoint: str) -> bool:
    try:
        return loopback.call("GET", f"{endpoint}/_ministack/health", timeout=2).ok
    except OSError:
        return False
