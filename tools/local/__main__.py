"""The command line: `python -m local up|down|watch|exec|logs`."""

import argparse
import contextlib
import signal
import sys
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from local import logs, paths, processes, record, stack, watch
from local.aws import Endpoint
from local.deployment import FUNCTIONS
from local.errors import LocalError
from local.record import Record


def main() -> int:
    """Runs one command; a failure that the user can do something about is one line and exit code 1."""
    arguments = _parser().parse_args()
    # So that `finally` runs, and nothing stays behind, however the run is ended.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return arguments.run(arguments)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"error: the local AWS failed: {error}\n       Run `make down`, then the same again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _up(arguments: argparse.Namespace) -> int:
    running = stack.up(arguments.state, print)
    _tell_link(running)
    print(f"\nVariables for scripts: {arguments.state / 'env'}. Function logs: `make logs`. End it with `make down`.")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    stack.down(arguments.state, print)
    return 0


def _watch(arguments: argparse.Namespace) -> int:
    running = stack.up(arguments.state, print)
    _tell_link(running)
    return watch.run(running, print)


def _tell_link(running: Record) -> None:
    if link := running.variables.get("LINK"):
        print(f"Link        {link} (which events/*.json are about)")


def _exec(arguments: argparse.Namespace) -> int:
    return stack.run_with(arguments.command, dict(arguments.parameter), lambda line: print(line, file=sys.stderr))


def _logs(arguments: argparse.Namespace) -> int:
    running = record.load(arguments.state)
    if not running or not processes.alive(running.processes["ministack"], arguments.state):
        raise LocalError(f"no stack runs in {arguments.state}: run `make up`")
    endpoint = Endpoint.of(running.variables)
    source = logs.follow if arguments.follow else logs.lines
    # Following has no other end than Ctrl-C.
    with contextlib.suppress(KeyboardInterrupt):
        for line in source(endpoint, arguments.function):
            print(line, flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local", description=__doc__)
    state = argparse.ArgumentParser(add_help=False)
    state.add_argument("--state", type=_absolute, default=paths.DEFAULT_STATE, help="directory of the stack's files")
    commands = parser.add_subparsers(required=True)

    up = commands.add_parser("up", parents=[state], help="start a stack and leave it running; deploy again if one runs")
    up.set_defaults(run=_up)

    down = commands.add_parser("down", parents=[state], help="end the stack")
    down.set_defaults(run=_down)

    reload = commands.add_parser(
        "watch", parents=[state], help="as up, with the functions served by `cargo lambda watch`"
    )
    reload.set_defaults(run=_watch)

    run = commands.add_parser("exec", help="run a command against a stack of its own")
    run.add_argument(
        "--parameter", type=_parameter, action="append", default=[], help="NAME=VALUE of template.yaml, for this stack"
    )
    run.add_argument("command", nargs="+")
    run.set_defaults(run=_exec)

    show = commands.add_parser("logs", parents=[state], help="print what the functions logged")
    show.add_argument("function", nargs="?", choices=FUNCTIONS)
    show.add_argument("--follow", "-f", action="store_true", help="go on printing")
    show.set_defaults(run=_logs)
    return parser


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def _absolute(path: str) -> Path:
    return Path(path).resolve()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
