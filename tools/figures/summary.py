"""All tables that can be made of some results, and the documents that quote them."""

import json
from collections.abc import Callable

from figures import tables
from figures.costs import Prices
from figures.results import MissingError, Results
from local.paths import ROOT

DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "PERFORMANCE.md")
# What the summary shows; "costs" is a part of "money", for README.
TITLES = {
    "machine": "Machine",
    "targets": "Targets",
    "starts": "Starts",
    "deliveries": "Webhooks",
    "collections": "Collections",
    "traffic": "Requests and bytes of a window of one page",
    "large-rows": "Large rows",
    "partition": "At a partition's limit",
    "instructions": "Instructions",
    "stack": "On the deployed local stack",
    "sizes": "Programs and packages",
    "money": "Costs",
    "limits": "Limits",
    "days": "Simulated days",
}


def all_tables(results: Results) -> dict[str, str]:
    """Every table that can be made of these results, by name."""
    prices = Prices.read(ROOT / "bench" / "prices.json")
    template = (ROOT / "template.yaml").read_text()
    budget = json.loads((ROOT / "bench" / "budget.json").read_text())
    followers, log_bytes = budget["followers"], budget["log_bytes"]
    makers: dict[str, Callable[[], str]] = {
        "machine": lambda: tables.machine(results),
        "targets": lambda: tables.targets(results),
        "starts": lambda: tables.starts(results),
        "deliveries": lambda: tables.deliveries(results),
        "collections": lambda: tables.collections(results),
        "traffic": lambda: tables.traffic(results),
        "large-rows": lambda: tables.large_rows(results),
        "partition": lambda: tables.partition(results),
        "instructions": lambda: tables.instructions(results),
        "stack": lambda: tables.stack(results),
        "sizes": lambda: tables.sizes(results),
        "money": lambda: tables.money(results, prices, template, log_bytes),
        "costs": lambda: tables.costs_in_short(results, prices, template, log_bytes),
        "following": lambda: tables.following(prices, followers),
        "observing": lambda: tables.observing(template, prices, log_bytes),
        "limits": lambda: tables.limits_of_scale(results, template),
        "days": lambda: tables.days(results),
    }
    made = {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except MissingError as missing:
            print(f"no table of {name}: {missing}")
    return made
