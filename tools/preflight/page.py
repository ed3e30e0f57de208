"""The tables of docs/DEPLOYMENT.md and of a decision that the checks make.

A document quotes a table between `<!-- figures: NAME -->` and `<!-- end -->`, each on a line of its own.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from local import paths
from preflight import permissions
from preflight.findings import KINDS, Exemption, Finding, Step

PAGES = (paths.ROOT / "docs" / "DEPLOYMENT.md", paths.ROOT / "docs" / "decisions" / "0043-policy-tools.md")
BLOCK = re.compile(r"<!-- figures: (?P<name>[a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)


def tables(steps: Iterable[Step], exemptions: Iterable[Exemption]) -> dict[str, str]:
    """Each table by its name."""
    return {
        "preflight": of_steps(steps),
        "permissions": permissions.table(),
        "exceptions": of_exceptions(exemptions),
    }


def of_steps(steps: Iterable[Step]) -> str:
    """How many rules each check has, how many of them are kept, and how many have an exception."""
    rows = [f"| {step.name} | {step.rules} | {step.rules - step.broken()} | {step.broken()} |" for step in steps]
    return "\n".join(["| check | rules | kept | with exceptions |", "|---|--:|--:|--:|", *rows])


def of_exceptions(exemptions: Iterable[Exemption]) -> str:
    """How many exceptions there are of each kind."""
    known = list(exemptions)
    rows = []
    for kind, meaning in KINDS.items():
        of_kind = [one for one in known if one.kind == kind]
        rows.append(f"| {meaning} | {len(of_kind)} | {sum(len(one.resources) for one in of_kind)} |")
    return "\n".join(["| because | rules | resources |", "|---|--:|--:|", *rows])


def quoted(document: str, tables: dict[str, str]) -> str:
    """The document with every block filled that has a table."""

    def filled(block: re.Match[str]) -> str:
        name = block["name"]
        return f"<!-- figures: {name} -->\n{tables[name]}\n<!-- end -->" if name in tables else block[0]

    return BLOCK.sub(filled, document)


def write(made: dict[str, str], pages: Sequence[Path] = PAGES) -> None:
    """Puts the tables where the pages quote them."""
    for page in pages:
        page.write_text(quoted(page.read_text(), made))


def check(made: dict[str, str], pages: Sequence[Path] = PAGES) -> Step:
    """Whether the pages quote these tables."""
    stale = tuple(
        Finding("figures", page.name, "its tables are not what was found", "Run make preflight WRITE=1.")
        for page in pages
        if quoted(page.read_text(), made) != page.read_text()
    )
    return Step("tables of the documents", len(pages), stale)
