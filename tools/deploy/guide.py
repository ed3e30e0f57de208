"""`make secrets`: asks for the secrets of a stack, proves them, puts them, and says what to register at Belvo."""

import getpass
import re
import secrets as random
import sys
from collections.abc import Callable
from dataclasses import dataclass

from deploy import checks, secrets, stacks
from deploy.secrets import Authorization, Keys
from deploy.stacks import Deployed
from local.errors import LocalError

# Of a random value that is made here, and the least length of one that is given, as the function has it.
RANDOM_BYTES = 32
LEAST_CHARACTERS = 32
# What Belvo sends: a scheme and a token of visible characters.
WHOLE_VALUE = re.compile(r"(Basic|Bearer) ([!-~]+)")


@dataclass(frozen=True)
class Terminal:
    """The one who is asked."""

    say: Callable[[str], None] = print
    # Shows nothing of what is typed.
    ask_secretly: Callable[[str], str] = getpass.getpass
    ask: Callable[[str], str] = input

    def agrees(self, question: str) -> bool:
        """Whether the answer is yes; no is the default."""
        return self.ask(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def run(deployed: Deployed, terminal: Terminal, show: bool = False) -> None:
    """Puts both secrets of a stack, as far as they are missing or are to be replaced."""
    terminal.say(f"Stack       {deployed.name} in {deployed.aws.region}")
    _put_keys(deployed, terminal)
    authorization = _put_authorization(deployed, terminal)
    _say_what_to_register(deployed, authorization, terminal, show)
    if deployed.front_url:
        terminal.say("Testing     past the front, which admits Belvo's addresses alone")
    checks.check_webhook(deployed.webhook_url, authorization.current, terminal.say)


def require_terminal() -> None:
    """Fails where nobody can be asked: `getpass` would show what is typed."""
    if not sys.stdin.isatty():
        raise LocalError("`make secrets` asks for secrets, and there is no terminal to ask at")


def require_strong(value: str) -> str:
    """Returns a whole `Authorization` value that Belvo can send and nobody can guess, else says what is wrong."""
    match = WHOLE_VALUE.fullmatch(value)
    if not match:
        raise LocalError(
            "the authorization must be what Belvo sends: `Bearer` or `Basic`, one space, and a token without spaces"
        )
    if len(value) < LEAST_CHARACTERS:
        raise LocalError(
            f"the authorization has {len(value)} characters, and must have {LEAST_CHARACTERS}:"
            " whoever guesses it can send webhooks. Press Enter to have one made"
        )
    return value


def _put_keys(deployed: Deployed, terminal: Terminal) -> None:
    known = secrets.keys(deployed.aws, deployed.outputs)
    base_url = deployed.parameters["BelvoBaseUrl"]
    if known and not terminal.agrees("Belvo's keys are there. Replace them?"):
        return
    terminal.say(f"Belvo       {base_url} (dashboard: Developers, API Keys)")
    keys = Keys(_required(terminal, "Secret id: "), _required(terminal, "Secret password: "))
    checks.require_accepted_by_belvo(base_url, keys)
    secrets.put_keys(deployed.aws, deployed.outputs, keys)
    terminal.say("Stored      Belvo's keys, which Belvo accepts")


def _put_authorization(deployed: Deployed, terminal: Terminal) -> Authorization:
    known = secrets.authorization(deployed.aws, deployed.outputs)
    wanted = _wanted(known, terminal)
    if known and wanted == known:
        return known
    secrets.put_authorization(deployed.aws, deployed.outputs, wanted)
    both = "; the previous one stays valid until you withdraw it" if wanted.previous else ""
    terminal.say(f"Stored      the webhook's authorization{both}")
    return wanted


def _wanted(known: Authorization | None, terminal: Terminal) -> Authorization:
    """A first value, the next one beside the one before, or the latest alone."""
    if known and known.previous:
        withdraw = terminal.agrees("Two authorizations are valid. Does Belvo send the new one, so that the old can go?")
        return Authorization(known.current) if withdraw else known
    if known and not terminal.agrees("The webhook's authorization is there. Replace it?"):
        return known
    given = terminal.ask_secretly("Webhook's authorization, as Bearer ... (Enter makes one): ").strip()
    value = require_strong(given) if given else f"Bearer {random.token_urlsafe(RANDOM_BYTES)}"
    return Authorization(value, previous=known.current if known else None)


def _say_what_to_register(deployed: Deployed, value: Authorization, terminal: Terminal, show: bool) -> None:
    terminal.say("\nRegister the webhook at Belvo (dashboard: Developers, Webhooks):")
    terminal.say(f"  URL            {deployed.front_url or deployed.webhook_url}")
    if show:
        terminal.say(f"  Authorization  {value.current}\n")
        return
    terminal.say("  Authorization  `current` in what this prints (or run `make secrets SHOW=1`):")
    terminal.say(f"    {stacks.reading_command(deployed, secrets.AUTHORIZATION)}\n")


def _required(terminal: Terminal, prompt: str) -> str:
    value = terminal.ask_secretly(prompt).strip()
    if not value:
        raise LocalError("nothing was entered, and nothing was stored")
    return value
