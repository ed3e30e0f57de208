"""Hot reload: `cargo lambda watch` serves the functions, and the local AWS forwards their invocations to it.

Forwarded functions run with the account's credentials, not with their roles: permissions are proven by `make up` only.
"""

import os
import subprocess
from typing import Any

from local import aws, ministack, paths
from local.errors import LocalError
from local.record import Record

# MiniStack posts a function's invocations to the address in this variable of the function.
FORWARD = "MINISTACK_LAMBDA_PROXY_URL"
BINARIES = {
    "request": "REQUEST_FUNCTION",
    "webhook": "WEBHOOK_FUNCTION",
    "collect": "COLLECT_FUNCTION",
    "query": "QUERY_FUNCTION",
}


def run(running: Record) -> int:
    """Serves the functions until interrupted, then gives the stack back to the built ones."""
    endpoint = running.variables["AWS_ENDPOINT_URL"]
    functions = aws.client("lambda", endpoint)
    names = {binary: running.variables[variable] for binary, variable in BINARIES.items()}
    port = ministack.free_port()
    for binary, name in names.items():
        url = f"http://127.0.0.1:{port}/2015-03-31/functions/{binary}/invocations"
        _configure(functions, name, {**_variables(functions, name), FORWARD: url})
    try:
        return _serve(endpoint, port, _merged(functions, names))
    finally:
        for name in names.values():
            _configure(functions, name, _variables(functions, name))


def _serve(endpoint: str, port: int, variables: dict[str, str]) -> int:
    path = f"{paths.CARGO_LAMBDA_BIN}{os.pathsep}{os.environ['PATH']}"
    argv = [
        str(paths.require(paths.CARGO_LAMBDA_BIN / "cargo-lambda", "make tools")),
        "lambda",
        "watch",
        "--invoke-address=127.0.0.1",
        f"--invoke-port={port}",
    ]
    target = {"CARGO_TARGET_DIR": str(paths.ROOT / "target")}
    env = {**os.environ, **aws.environment(endpoint), **variables, **target, "PATH": path}
    return subprocess.run(argv, cwd=paths.ROOT, env=env, check=False).returncode


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
