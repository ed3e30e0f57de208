"""What was measured, as Markdown tables. Every number comes from the results; none is typed."""

from collections.abc import Iterable

from figures import costs
from figures.costs import Prices
from figures.limits import limits
from figures.results import FUNCTIONS, MAKERS, Results, Row
from figures.targets import measured_targets

STEPS = {
    "first": "first time",
    "unchanged": "unchanged",
    "one_percent": "1 % changed",
    "refresh": "daily refresh, 5 new rows",
}
FLOORS = {
    "floor-noop": "floor: no-op",
    "floor-send": "floor: the SQS call",
    "floor-parse": "floor: fetch, parse, serialise",
    "floor-write": "floor: make and write items",
    "floor-items": "floor: make items",
}
TRANSPORTS = {"plain": "plain HTTP", "tls": "TLS"}


def table(head: list[str], lines: Iterable[list[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    rule = [":--", *("--:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *lines])


def targets(results: Results) -> str:
    """Each target, and whether it is met."""
    return table(["", "target", "measured", "met"], [target.cells() for target in measured_targets(results)])


def starts(results: Results) -> str:
    """INIT, first and later invocations."""
    rows = results.rows("start")
    lines = [
        [
            f"{row['function']}{'' if row['maker'] is None else ', ' + MAKERS[row['maker']]}",
            TRANSPORTS[row["transport"]],
            _ms(row["init_ms"]["median"]),
            _ms(row["init_cpu_ms"]["median"]),
            _ms(row["first_ms"]["median"]),
            _ms(row["warm_ms"]["median"]),
            _mb(row["peak_memory_kib"]),
        ]
        for row in sorted(rows, key=lambda row: (row["transport"], _order(row)))
    ]
    return table(["", "over", "INIT ms", "its CPU ms", "first ms", "later ms", "memory MB"], lines)


def deliveries(results: Results) -> str:
    """What a webhook costs its function."""
    lines = [
        [
            _who(row),
            f"{row['cpu_ms']['median'] * 1_000:,.0f}",
            f"{row['wall_ms']['median'] * 1_000:,.0f}",
            f"{row['per_second_and_core']:,.0f}",
            f"{row['sqs_requests']:g}",
            _mb(row["peak_memory_kib"]),
        ]
        for row in results.rows("deliveries")
    ]
    return table(["", "CPU µs", "wall µs", "for 1 s of CPU", "SQS requests", "memory MB"], lines)


def collections(results: Results) -> str:
    """What collections of several sizes cost."""
    lines = [
        [
            _who(row),
            f"{row['rows']:,}",
            "" if row["maker"] is None else STEPS[row["step"]],
            f"{row['cpu_ms']['runs']}",
            _ms(row["cpu_ms"]["median"] * 1_000 / row["rows"]),
            _ms(row["wall_ms"]["median"] * 1_000 / row["rows"]),
            f"{row['counts']['gets']:,}",
            _units(row["counts"]["write_units"]),
            _units(row["counts"]["write_units_of_the_index"]),
            _units(row["counts"]["write_units_of_the_record"]),
            _units(row["counts"]["read_units"]),
            _mb(row["peak_memory_kib"]),
        ]
        for row in sorted(results.rows("collections"), key=lambda row: row["rows"])
    ]
    head = ["", "rows", "collection", "runs", "CPU ms per 1,000 rows", "wall ms per 1,000 rows", "GETs", "write units"]
    return table([*head, "of the index", "of the record", "read units", "memory MB"], lines)


def traffic(results: Results) -> str:
    """Requests and bytes of a collection of one page."""
    lines = []
    for row in results.rows("collections", rows=1_000):
        if row["maker"] is None:
            continue
        aws, belvo = row["counts"]["traffic"]
        dynamodb = sum(row["counts"]["requests"].values())
        lines.append(
            [
                f"{MAKERS[row['maker']]}, {STEPS[row['step']]}",
                f"{dynamodb:,}",
                f"{aws['bytes_sent'] / 1e3:,.0f}",
                f"{aws['bytes_received'] / 1e3:,.0f}",
                f"{row['counts']['gets']:,}",
                f"{belvo['bytes_received'] / 1e3:,.0f}",
                f"{aws['connections'] + belvo['connections']:,}",
            ]
        )
    return table(["", "AWS requests", "kB to AWS", "kB from AWS", "GETs", "kB from Belvo", "connections"], lines)


def partition(results: Results) -> str:
    """A first collection at the limit of its partition, and small links beside it."""
    lines = [
        [
            f"{row['rows']:,}",
            f"{row['write_units']:,.0f}",
            f"{row['own_seconds']:,.1f}",
            f"{row['seconds']:,.1f}",
            f"{row['ratio']:.3f}",
            f"{row['invocations']}",
            f"{row['requests']['BatchWriteItem']:,}",
            f"{row['throttled'].get('BatchWriteItem', 0):,}",
            _ms(row["small_alone_ms"]),
            _ms(row["small_beside_ms"]),
        ]
        for row in results.rows("partition")
    ]
    head = ["rows", "write units", "the partition's own s", "s", "ratio", "invocations", "batches", "of them throttled"]
    return table([*head, "small links alone, ms", "beside it, ms"], lines)


def large_rows(results: Results) -> str:
    """What links with large rows take in memory."""
    lines = [
        [
            f"{row['links']} links with {row['rows']:,} {row['resource']} each",
            f"{row['row_bytes'] / 1e3:,.0f}",
            row["step"],
            f"{row['gets']:,}",
            _mb(row["peak_memory_kib"]),
        ]
        for row in results.rows("large-rows")
    ]
    return table(["", "kB a row", "collection", "GETs", "memory MB"], lines)


def instructions(results: Results) -> str:
    """Instructions, which do not depend on how busy the machine is."""
    lines = [
        [f"{FLOORS.get(row['program'], row['program'])}, {row['per']}", f"{row['instructions'] / 1e6:,.2f}"]
        for row in results.rows("instructions")
    ]
    return table(["", "million instructions"], lines)


def stack(results: Results) -> str:
    """From webhook to stored on the deployed local stack."""
    lines = [[f"{row['rows']:,} new rows", _ms(row["webhook_to_stored_ms"]["median"])] for row in results.rows("stack")]
    return table(["", "webhook to stored, ms"], lines)


def sizes(results: Results) -> str:
    """What is uploaded."""
    lines = [
        [_named(row), f"{row['bytes'] / 1e6:.1f}", f"{row['zipped_bytes'] / 1e6:.1f}"] for row in results.rows("sizes")
    ]
    return table(["", "MB", "zipped MB"], lines)


def money(results: Results, prices: Prices, template: str, log_bytes: dict[str, int]) -> str:
    """What it costs, in US dollars."""
    makers = results.makers()
    columns = [_costs(results, prices, template, log_bytes, maker) for maker in makers]
    lines = [[what, *(column[what] for column in columns)] for what in columns[0]]
    return table(["US dollars", *(MAKERS[maker] for maker in makers)], lines)


def costs_in_short(results: Results, prices: Prices, template: str, log_bytes: dict[str, int]) -> str:
    """What ours costs, in four lines."""
    ours = _costs(results, prices, template, log_bytes, "ours")
    seeing = sum(costs.observing_month(template, prices, log_bytes).values())
    return (
        f"- **Traffic:** 1,000 webhooks cost USD {ours['1,000 webhooks']}, 1,000,000 new rows "
        f"USD {ours['1,000,000 new rows']}, 1,000,000 unchanged rows USD {ours['1,000,000 unchanged rows']}.\n"
        f"- **Links:** a link with 1,000 rows, refreshed daily, costs USD {ours['a link and month, refreshed daily']} "
        f"a month; 1,000,000 of them cost USD {ours['1,000,000 such links and month']}.\n"
        f"- **Observability:** logs, traces and metrics of these 1,000,000 links, and the keys of the tables, cost USD "
        f"{_usd(seeing)} a month.\n"
        f"- **Idle:** USD {ours['an idle month']} a month, for secrets, alarms, metrics, the queue's trigger and the "
        "sweep."
    )


def following(prices: Prices, followers: dict[str, float]) -> str:
    """What it costs to follow a million links."""
    lines = costs.following_month(followers, prices)
    return table(["US dollars a month", "1,000,000 links"], [[what, _usd(price)] for what, price in lines.items()])


def observing(template: str, prices: Prices, log_bytes: dict[str, int]) -> str:
    """What it costs to see what a million links do."""
    lines = costs.observing_month(template, prices, log_bytes)
    return table(["US dollars a month", "1,000,000 links"], [[what, _usd(price)] for what, price in lines.items()])


def limits_of_scale(results: Results, template: str) -> str:
    """How many links each limit allows."""
    lines = [
        [limit.what, "any" if limit.links == float("inf") else f"{limit.links:,.0f}", limit.moves]
        for limit in limits(results, template)
    ]
    return table(["limit", "links", "moved by"], lines)


def days(results: Results) -> str:
    """Days of many links, simulated."""
    lines = [
        [
            f"{row['links']:,}",
            f"{row['environments']}",
            f"{row['addresses']}",
            f"{row['median_s']:,.1f}",
            f"{row['p99_s']:,.0f}",
            f"{row['longest_s']:,.0f}",
            f"{row['left']:,}",
        ]
        for row in results.rows("scale")
    ]
    head = ["links", "`CollectConcurrency`", "addresses", "median wait s", "99 % below s", "longest s"]
    return table([*head, "left at midnight"], lines)


def machine(results: Results) -> str:
    """Where and with what all this was measured."""
    run = one_run(results)
    suites = results.suites.values()
    loads = [float(suite["load_before"]) for suite in suites]
    minutes = sum(suite["took_s"] for suite in suites) / 60
    lines = [
        f"{run['processor']}, {run['cores']} cores, {run['memory']}, Linux {run['kernel']}. Measured on "
        f"{run['measured_at']} in {minutes:.0f} minutes; load before the suites {min(loads)} to {max(loads)}.",
        "; ".join(f"{name}: {version}" for name, version in run["versions"].items()) + ".",
    ]
    if any(result["quick"] for result in results.suites.values()):
        lines.append("**A quick run: few rounds and small windows.**")
    return "\n\n".join(lines)


def one_run(results: Results) -> Row:
    """What is said of the run; fails if the suites are of different ones."""
    runs = [suite["run"] for suite in results.suites.values()]
    if any(run != runs[0] for run in runs):
        raise ValueError("the suites were measured in different runs: measure all of them together")
    return runs[0]


def _costs(results: Results, prices: Prices, template: str, log_bytes: dict[str, int], maker: str) -> dict[str, str]:
    link_month = costs.link_month(results, prices, maker)
    return {
        "1,000 webhooks": _usd(costs.webhooks(results, prices, maker)),
        "1,000,000 new rows": _usd(costs.rows(results, prices, maker, "first")),
        "1,000,000 unchanged rows": _usd(costs.rows(results, prices, maker, "unchanged")),
        "a link and month, refreshed daily": _usd(link_month),
        "1,000,000 such links and month": _usd(link_month * costs.MILLION),
        "an idle month": _usd(costs.idle_month(template, prices, log_bytes, sweeps=maker == "ours")),
    }


def _order(row: Row) -> tuple[int, int]:
    functions = ["no-op", *FUNCTIONS, "query"]
    return functions.index(row["function"]), list(MAKERS).index(row["maker"] or "ours")


def _who(row: Row) -> str:
    return MAKERS[row["maker"]] if row["maker"] else FLOORS[row["program"]]


def _named(row: Row) -> str:
    return f"{row['program']}, {MAKERS[row['maker']]}" if row["maker"] else row["program"]


def _units(units: float) -> str:
    # A sum of nothing may be minus zero.
    return f"{units + 0.0:,.0f}"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.1f}"


def _mb(kib: float) -> str:
    return f"{kib * 1_024 / 1e6:.0f}"


def _usd(dollars: float) -> str:
    return f"{dollars:,.0f}" if dollars >= 1_000 else f"{dollars:.2g}" if dollars < 0.01 else f"{dollars:,.2f}"
