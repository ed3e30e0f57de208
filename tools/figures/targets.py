"""The ratios that `make bench` is held to, and what was measured of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from figures.costs import WRITES
from figures.results import FUNCTIONS, MAKERS, PEERS, MissingError, Results

KIB = 1_024
MB = 1e6
# The rows of a page, of which every collection is measured.
PAGE = 1_000


@dataclass(frozen=True)
class Target:
    """One ratio or count with its bound."""

    what: str
    bound: float
    measured: float
    at_least: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the bound holds."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def cells(self) -> list[str]:
        """What, bound, measured, and whether it is met."""
        sign = "≥" if self.at_least else "≤"
        number = f"{self.measured:,.0f}" if self.measured >= 100 or self.measured == 0 else f"{self.measured:.2f}"
        bound = f"{self.bound:,g}"
        return [self.what, f"{sign} {bound}{self.unit}", f"{number}{self.unit}", "yes" if self.met else "**no**"]


def measured_targets(results: Results) -> list[Target]:
    """All that can be said of what was measured."""
    targets: list[Target] = []
    for part in (_starts, _deliveries, _collections, _units, _large_rows, _partition, _sizes):
        targets += _measured(part, results)
    return targets


def _measured(part: Callable[[Results], Iterator[Target]], results: Results) -> Iterator[Target]:
    try:
        yield from list(part(results))
    except MissingError:
        return


def _starts(results: Results) -> Iterator[Target]:
    for transport, name in (("plain", "plain HTTP"), ("tls", "TLS")):
        floor = results.row("start", function="no-op", transport=transport)["init_ms"]["median"]
        ours = {row["function"]: row for row in results.rows("start", maker="ours", transport=transport)}
        slowest = max(start["init_ms"]["median"] for start in ours.values())
        yield Target(f"INIT of our slowest function, connections opened over {name}, ÷ no-op's", 1.5, slowest / floor)
        peers = [results.rows("start", function=f, maker=p, transport=transport) for f in FUNCTIONS for p in PEERS]
        ahead = [
            row["init_ms"]["median"] / ours[row["function"]]["init_ms"]["median"] for rows in peers for row in rows
        ]
        if ahead:
            yield Target(f"INIT of a peer ÷ ours, over {name}, the least", 5, min(ahead), at_least=True)
        first = max(start["first_ms"]["median"] / start["warm_ms"]["median"] for start in ours.values())
        yield Target(f"first invocation ÷ later ones, over {name}, the most", 1.5, first)


def _deliveries(results: Results) -> Iterator[Target]:
    cpu = {row["maker"] or row["program"]: row["cpu_ms"]["median"] for row in results.rows("deliveries")}
    without_sqs = cpu["ours"] - (cpu["floor-send"] - cpu["floor-noop"])
    yield Target("webhook: CPU apart from the SQS call ÷ no-op's", 1.2, without_sqs / cpu["floor-noop"])
    for peer in PEERS:
        if peer in cpu:
            yield Target(f"webhook: CPU in {MAKERS[peer]} ÷ ours", 3, cpu[peer] / cpu["ours"], at_least=True)


def _collections(results: Results) -> Iterator[Target]:
    rows = results.largest_shared_window()
    cpu = {
        row["maker"] or row["program"]: row["cpu_ms"]["median"]
        for row in results.rows("collections", rows=rows, step="first")
    }
    without_dynamodb = cpu["ours"] - (cpu["floor-write"] - cpu["floor-items"])
    yield Target(
        f"collect, {rows:,} new rows: CPU apart from DynamoDB calls ÷ parse floor's",
        1.5,
        without_dynamodb / cpu["floor-parse"],
    )
    for peer in PEERS:
        if peer in cpu:
            what = f"collect, {rows:,} new rows: CPU in {MAKERS[peer]} ÷ ours"
            yield Target(what, 5, cpu[peer] / cpu["ours"], at_least=True)
    peaks: dict[int, float] = {}
    for row in results.rows("collections", maker="ours"):
        peaks[row["rows"]] = max(peaks.get(row["rows"], 0), row["peak_memory_kib"] * KIB / MB)
    least, most = min(peaks), max(peaks)
    yield Target(f"collect: peak memory, {least:,} to {most:,} rows, the most", 64, max(peaks.values()), unit=" MB")
    yield Target(f"collect: peak memory at {most:,} rows ÷ at {least:,}", 1.5, peaks[most] / peaks[least])


def _units(results: Results) -> Iterator[Target]:
    written = {row["maker"]: _written(row["counts"]) for row in _of_a_page(results, "first")}
    if "ours" not in written:
        raise MissingError("nobody has collected new rows")
    yield Target("write units for 1,000 new rows, all told", 1_300, written["ours"])
    for peer in PEERS:
        if peer in written:
            what = f"write units for 1,000 new rows, {MAKERS[peer]} ÷ ours"
            yield Target(what, 1.6, written[peer] / written["ours"], at_least=True)
    for step, what, bound in (
        ("refresh", "a daily refresh with 5 new rows", 8),
        ("unchanged", "1,000 unchanged rows", 0),
    ):
        counts = results.row("collections", maker="ours", rows=PAGE, step=step)["counts"]
        yield Target(f"write units for {what}, without the request's record", bound, counts["write_units"])
    unchanged = results.row("collections", maker="ours", rows=PAGE, step="unchanged")["counts"]
    yield Target("read units for 1,000 unchanged rows", 40, unchanged["read_units"])


def _of_a_page(results: Results, step: str) -> list[dict]:
    rows = results.rows("collections", rows=PAGE, step=step)
    return [row for row in rows if row["maker"]]


def _written(counts: dict[str, float]) -> float:
    return sum(counts[name] for name in WRITES)


def _large_rows(results: Results) -> Iterator[Target]:
    peak = max(row["peak_memory_kib"] * KIB / MB for row in results.rows("large-rows"))
    yield Target("collect, links with large rows: peak memory, the most", 300, peak, unit=" MB")


def _partition(results: Results) -> Iterator[Target]:
    paced = results.row("partition")
    what = f"collect, {paced['rows']:,} new rows at their partition's limit"
    yield Target(f"{what}: time ÷ the partition's own", 1.05, paced["ratio"])
    yield Target(f"{what}: throttled of all writes", 5, 100 * paced["wasted"], unit=" %")


def _sizes(results: Results) -> Iterator[Target]:
    sizes = {row["program"]: row["bytes"] / MB for row in results.rows("sizes", maker="ours")}
    yield Target("program of the webhook function", 6, sizes["webhook"], unit=" MB")
    yield Target("largest program", 9, max(sizes.values()), unit=" MB")
