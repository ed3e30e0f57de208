"""Which limit bites first when links become many: how many links with a daily refresh each of them allows."""

import re
from dataclasses import dataclass

from figures.results import Results

DAY_S = 24 * 3_600
# Half of a day's refreshes come in a quarter of it (bench/src/scale.rs).
BUSY_FACTOR = 2
# Messages of a batch, and what a page takes: as in bench/src/scale.rs.
LINKS_AT_ONCE = 10
PAGE_S = 0.5


@dataclass(frozen=True)
class Limit:
    """A limit, and the setting or place that moves it."""

    what: str
    links: float
    moves: str


def limits(results: Results, template: str) -> list[Limit]:
    """All that are known, the narrowest first."""
    refresh = results.row("collections", maker="ours", rows=1_000, step="refresh")["counts"]
    new = results.row("collections", maker="ours", rows=1_000, step="first")
    written = sum(new["counts"][name] for name in ("write_units", "write_units_of_the_index")) / new["rows"]
    gets = refresh["gets"]
    environments, calls = _default(template, "CollectConcurrency"), _default(template, "CollectCallsPer30Seconds")
    # A third of the share is kept for those that come at once (domain/src/spacing.rs).
    lasting = calls - calls // 3
    requests = _default(template, "WebhookRateLimit")
    found = [
        Limit(
            f"calls of Belvo as shipped: {environments} environments, {calls} in 30 s each, {lasting} for long",
            _daily(environments * lasting / 30 / gets),
            "`CollectConcurrency`, `CollectCallsPer30Seconds`, up to Belvo's limit",
        ),
        Limit(
            "Belvo: 80 requests in 30 s from one address",
            _daily(80 / 30 / gets),
            "more addresses, and `CollectConcurrency` with them",
        ),
        Limit(
            f"the queue's trigger as shipped: {environments} batches at once, of {LINKS_AT_ONCE} links each",
            _daily(environments * LINKS_AT_ONCE / (gets * PAGE_S)),
            "`CollectConcurrency`",
        ),
        Limit(
            f"API Gateway as shipped: {requests} webhooks a second",
            _daily(requests),
            "`WebhookRateLimit`, `WebhookBurstLimit`",
        ),
        Limit(
            "SQS FIFO, high throughput: 4,500 messages a second in São Paulo (70,000 in N. Virginia)",
            _daily(4_500),
            "the region, or a quota request",
        ),
        Limit(
            "DynamoDB, on demand: 40,000 write units a second and table",
            _daily(40_000 / _writes(refresh)),
            "a quota request",
        ),
        Limit(
            f"DynamoDB: 1,000 write units a second and link, or {1_000 / written:,.0f} new rows; "
            "only the first collection of a link comes near",
            float("inf"),
            "nothing; `collect` keeps to the partition's pace, and what is left goes on in the next invocation",
        ),
    ]
    return sorted(found, key=lambda limit: limit.links)


def _default(template: str, parameter: str) -> int:
    """What a parameter of template.yaml is unless somebody says otherwise."""
    found = re.search(rf"^  {parameter}:\n(?:    .*\n)*?    Default: (\d+)$", template, re.MULTILINE)
    if not found:
        raise ValueError(f"template.yaml has no default of {parameter}")
    return int(found[1])


def _daily(per_second: float) -> float:
    """Links that are refreshed once a day, if the busiest hours stay below the limit."""
    return per_second * DAY_S / BUSY_FACTOR


def _writes(counts: dict[str, float]) -> float:
    return counts["write_units"] + counts["write_units_of_the_index"] + counts["write_units_of_the_record"]
