"""Hot reload: `cargo lambda watch` serves the functions, and the local AWS forwards their invocations to it.

Forwarded functions run with the account's credentials, not with their roles: permissions are proven by `make up` only.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local import aws, ministack, paths, processes
from local.aws import Endpoint
from local.deployment import FUNCTIONS
from local.errors import LocalError
from local.record import Record

# MiniStack posts a function's invocations to the address in this variable of the function.
FORWARD = "MINISTACK_LAMBDA_PROXY_URL"
# Where `cargo lambda invoke` looks unless it is told.
INVOKE_HOST, INVOKE_PORT = "::1", 9000
EXAMPLE = "events/webhook-historical-update.json"
GRACE_SECONDS = 10


def run(running: Record, say: Callable[[str], None]) -> int:
    """Serves the functions until interrupted, then gives the stack back to the built ones."""
    endpoint = Endpoint.of(running.variables)
    functions = aws.client("lambda", endpoint)
    names = {binary: running.variables[f"{binary.upper()}_FUNCTION"] for binary in FUNCTIONS}
    host, port = _address()
    with _forwarded(functions, names, f"http://{_bracketed(host)}:{port}"):
        say("\nServing the functions with hot reload. Ctrl-C gives the stack back to the built ones. To send an event:")
        say(f"  PATH=.venv/build/bin:$PATH cargo lambda invoke webhook{_options(host, port)} --data-file {EXAMPLE}\n")
        return _serve(endpoint, host, port, _merged(functions, names))


@contextmanager
def _forwarded(functions: Any, names: dict[str, str], url: str) -> Iterator[None]:
    """Lets the stack forward the functions' invocations to `url`, and run the built functions again at the end."""
    try:
        for binary, name in names.items():
            address = f"{url}/2015-03-31/functions/{binary}/invocations"
            _configure(functions, name, {**_variables(functions, name), FORWARD: address})
        yield
    finally:
        with processes.undisturbed():
            for name in names.values():
                _configure(functions, name, _variables(functions, name))


def _address() -> tuple[str, int]:
    """Where `cargo lambda invoke` looks unless it is told, if that is free; else any port of this machine."""
    for host in (INVOKE_HOST, "127.0.0.1"):
        if ministack.is_free(host, INVOKE_PORT):
            return host, INVOKE_PORT
    return "127.0.0.1", ministack.free_port()


def _options(host: str, port: int) -> str:
    """What `cargo lambda invoke` has to be told."""
    address = "" if host == INVOKE_HOST else f" --invoke-address {host}"
    return address + ("" if port == INVOKE_PORT else f" --invoke-port {port}")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _serve(endpoint: Endpoint, host: str, port: int, variables: dict[str, str]) -> int:
    path = f"{paths.CARGO_LAMBDA_BIN}{os.pathsep}{os.environ['PATH']}"
    argv = [
        str(paths.require(paths.CARGO_LAMBDA_BIN / "cargo-lambda", "make tools")),
        "lambda",
        "watch",
        f"--invoke-address={host}",
        f"--invoke-port={port}",
    ]
    target = {"CARGO_TARGET_DIR": str(paths.ROOT / "target")}
    env = aws.command_environment({**aws.environment(endpoint), **variables, **target, "PATH": path})
    server = subprocess.Popen(argv, cwd=paths.ROOT, env=env)
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        with processes.undisturbed():
            end(server)


def end(server: subprocess.Popen[bytes], seconds: float = GRACE_SECONDS) -> None:
    """Ends a child: politely, then by force after `seconds`."""
    server.terminate()
    try:
        server.wait(seconds)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _merged(functions: Any, names: dict[str, str]) -> dict[str, str]:
    """One environment for all functions, as `cargo lambda watch` has it: they must agree on what they share."""
    merged: dict[str, str] = {}
    for name in names.values():
        for key, value in _variables(functions, name).items():
            if merged.setdefault(key, value) != value:
                raise LocalError(f"two functions have different values of {key}, so they cannot be watched together")
    return merged


def _variables(functions: Any, name: str) -> dict[str, str]:
    configured = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    return {key: value for key, value in configured.items() if key != FORWARD}


def _configure(functions: Any, name: str, variables: dict[str, str]) -> None:
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
