"""The command line: `python -m contract`, with the keys of a Belvo in the environment."""

import argparse
import os
import sys
import uuid

from local.errors import LocalError

SANDBOX = "https://sandbox.belvo.com"
KEYS = ("BELVO_SECRET_ID", "BELVO_SECRET_PASSWORD")
NO_KEYS = (
    "Nothing was compared, because there are no keys: set BELVO_SECRET_ID and BELVO_SECRET_PASSWORD (Belvo's dashboard:"
    " Developers, API Keys), and LINK to a link of that Belvo to retrieve for it."
)


def main() -> int:
    """Returns 0 if nothing differs, or if there are no keys."""
    arguments = _parser().parse_args()
    keys = [os.environ.get(name, "") for name in KEYS]
    if not any(keys):
        print(NO_KEYS)
        return 0
    try:
        for name, key in zip(KEYS, keys, strict=True):
            if not key:
                raise LocalError(f"{name} is not set, and the other key is: set both")
        good, text = _compared(*keys, deadline_seconds=arguments.deadline_seconds)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0 if good else 1


def _compared(*keys: str, deadline_seconds: float) -> tuple[bool, str]:
    # Needs what `make tools` installs, which saying that there are no keys does not.
    from contract.run import Belvo, compare

    return compare(Belvo(os.environ.get("BELVO_BASE_URL") or SANDBOX, *keys, _link()), deadline_seconds)


def _link() -> str | None:
    """The link that the environment names."""
    try:
        return str(uuid.UUID(text)) if (text := os.environ.get("LINK")) else None
    except ValueError:
        raise LocalError("LINK is no link's id, which is a UUID") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="contract", description=__doc__)
    parser.add_argument(
        "--deadline-seconds",
        type=float,
        default=300,
        help="how long to wait for the end of a retrieval; Belvo's own limit for one is five minutes",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
