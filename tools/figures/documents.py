"""Puts tables where documents quote them: between `<!-- NAME -->` and `<!-- end -->`, each on a line of its own."""

import re

BLOCK = re.compile(r"<!-- figures: (?P<name>[a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)


def quoted(document: str, tables: dict[str, str]) -> str:
    """The document with every block that has a table filled with it."""

    def filled(block: re.Match[str]) -> str:
        name = block["name"]
        return f"<!-- figures: {name} -->\n{tables[name]}\n<!-- end -->" if name in tables else block[0]

    return BLOCK.sub(filled, document)


def names(document: str) -> list[str]:
    """The tables that a document quotes."""
    return [block["name"] for block in BLOCK.finditer(document)]
