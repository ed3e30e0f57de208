"""What the measured counts cost at AWS's list prices. Prices and assumptions are in `bench/prices.json`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures.results import Results, Row

MILLION = 1_000_000
GB = 1_000_000_000
WRITES = ("write_units", "write_units_of_the_index", "write_units_of_the_record")
SQS_CALLS = ("SendMessage", "ChangeMessageVisibility", "DeleteMessage")
# These are sent several at a time, others one after the other.
BATCHES = ("BatchWriteItem", "BatchGetItem")
EVENTS_OF_A_SWEEP = ("overdue_requests", "readings_due", "links_counted")
MEMORY_MB = {"webhook": 256, "collect": 512, "query": 256, "publish": 256}


@dataclass(frozen=True)
class Prices:
    """List prices in US dollars, and what is assumed where nothing could be measured."""

    usd: dict[str, float]
    assumed: dict[str, float]

    @classmethod
    def read(cls, path: Path) -> "Prices":
        """Reads `bench/prices.json`."""
        document = json.loads(path.read_text())
        return cls({name: entry["price"] for name, entry in document["usd"].items()}, document["assumptions"])

    def of(self, name: str, count: float) -> float:
        """So many of something."""
        return self.usd[name] * count

    def invocation(self, function: str, cpu_ms: float, waits_ms: float) -> float:
        """One invocation: its processor time stretched to its share of a core, and then its waits."""
        memory = MEMORY_MB[function]
        billed_ms = cpu_ms * max(1.0, self.assumed["mb_of_a_whole_core"] / memory) + waits_ms
        return self.of("lambda_request", 1) + self.of("lambda_gb_second", memory / 1024 * billed_ms / 1_000)


def webhooks(results: Results, prices: Prices, maker: str, count: int = 1_000) -> float:
    """Webhooks, from API Gateway to the queue."""
    delivery = results.row("deliveries", maker=maker)
    one = (
        prices.of("api_request", 1)
        + prices.of("sqs_request", delivery["sqs_requests"])
        + prices.invocation("webhook", delivery["cpu_ms"]["median"], prices.assumed["sqs_call_ms"])
    )
    return one * count


def rows(results: Results, prices: Prices, maker: str, step: str, count: int = MILLION) -> float:
    """Rows that are collected, in windows of the largest size that everybody has collected."""
    window = results.largest_shared_window()
    collection = results.row("collections", maker=maker, rows=window, step=step)
    return collected(collection, prices) * count / window


def collected(collection: Row, prices: Prices) -> float:
    """One collection."""
    counts: dict[str, Any] = collection["counts"]
    requests: dict[str, int] = counts["requests"]
    sqs = sum(requests.get(name, 0) for name in SQS_CALLS)
    batches = sum(requests.get(name, 0) for name in BATCHES)
    others = sum(requests.values()) - sqs - batches
    calls = others + batches / prices.assumed["dynamodb_calls_at_once"]
    waits_ms = counts["gets"] * prices.assumed["page_ms"] + calls * prices.assumed["dynamodb_call_ms"]
    return (
        prices.invocation("collect", collection["cpu_ms"]["median"], waits_ms)
        + prices.of("write_unit", sum(counts[name] for name in WRITES))
        + prices.of("read_unit", counts["read_units"])
        + prices.of("sqs_request", sqs + prices.assumed["sqs_requests_of_a_message_received"])
    )


def idle_month(template: str, prices: Prices, log_bytes: dict[str, int], *, sweeps: bool) -> float:
    """A month in which nothing happens: what is there, the trigger's polling, and our sweeps."""
    days = prices.assumed["days_of_a_month"]
    seconds = days * 24 * 3_600
    sweeps_made = seconds / 60 / prices.assumed["sweep_minutes"] if sweeps else 0
    sweep = _sweep(prices, log_bytes["sweep"])
    metrics = _metrics_of_a_sweep(template) if sweeps else 0
    return (
        prices.of("secret_month", _resources(template, "SecretsManager::Secret"))
        + prices.of("alarm_month", _resources(template, "CloudWatch::Alarm"))
        + prices.of("metric_month", metrics)
        + prices.of("dashboard_month", _resources(template, "CloudWatch::Dashboard"))
        + prices.of("sqs_request", seconds * prices.assumed["idle_polls_per_second"])
        + sweeps_made * sweep
    )


def _sweep(prices: Prices, logged: int) -> float:
    """One sweep that finds nothing to do: its message is sent, received and deleted, and it reads an empty index."""
    return (
        prices.invocation("collect", prices.assumed["sweep_cpu_ms"], prices.assumed["dynamodb_call_ms"])
        + prices.of("sqs_request", 1 + prices.assumed["sqs_requests_of_a_message_received"])
        + prices.of("trace", 1)
        + prices.of("log_gb", (logged + prices.assumed["log_bytes_of_an_invocation"]) / GB)
        + prices.of("kms_request", 1)
    )


def link_month(results: Results, prices: Prices, maker: str) -> float:
    """A recurrent link with 1,000 rows that Belvo refreshes daily: its webhooks and their collections."""
    refresh = results.row("collections", maker=maker, rows=1_000, step="refresh")
    days = prices.assumed["days_of_a_month"]
    return days * (webhooks(results, prices, maker, 1) + collected(refresh, prices))


def following_month(followers: dict[str, float], prices: Prices, links: int = MILLION) -> dict[str, float]:
    """What it costs that links which change daily can be followed, and that one service follows them all.

    `followers` are the units of `bench/budget.json`, to which a test holds them.
    """
    assumed = prices.assumed
    refreshes = links * assumed["days_of_a_month"]
    questions = assumed["days_of_a_month"] * 24 * 3_600 / assumed["seconds_between_questions"]
    answer_ms = assumed["dynamodb_calls_of_an_answer"] * assumed["dynamodb_call_ms"]
    answer = prices.of("api_request", 1) + prices.invocation("query", assumed["answer_cpu_ms"], answer_ms)
    batch = prices.invocation("publish", assumed["answer_cpu_ms"], assumed["event_call_ms"])
    batches = refreshes * assumed["records_of_a_refresh"] / assumed["records_of_a_batch"]
    return {
        "writing the change logs": refreshes * prices.of("write_unit", followers["write_units_of_the_log"]),
        "writing the index of news": refreshes * prices.of("write_unit", followers["write_units_of_the_news"]),
        "reading each link's changes": refreshes
        * (answer + prices.of("read_unit", followers["read_units_of_the_changes"])),
        "asking every ten seconds which links have news": questions
        * (answer + prices.of("read_unit", followers["read_units_of_no_news"])),
        "with a bus: `publish`": batches * batch,
        "with a bus: the events": prices.of("event", refreshes * assumed["events_of_a_refresh"]),
    }


def observing_month(template: str, prices: Prices, log_bytes: dict[str, int], links: int = MILLION) -> dict[str, float]:
    """What it costs to see what links that change daily do, and to keep it encrypted.

    `log_bytes` are those of `bench/budget.json`, to which a test holds them. A webhook is taken to be an invocation of
    its own of each function, which it is not when there are many.
    """
    assumed = prices.assumed
    hours = assumed["days_of_a_month"] * 24
    refreshes = links * assumed["days_of_a_month"]
    logged = log_bytes["delivery"] + log_bytes["refresh"] + 2 * assumed["log_bytes_of_an_invocation"]
    # Of each function, X-Ray records one call a second and a share of the others.
    per_second = refreshes / (hours * 3_600)
    always = min(per_second, assumed["traces_per_second_and_function"])
    traced = always + (per_second - always) * assumed["share_of_further_traces"]
    metrics = _metrics(template) - _metrics_of_a_sweep(template)
    tables = _resources(template, "DynamoDB::Table")
    return {
        "logs of the functions": prices.of("log_gb", refreshes * logged / GB),
        "access log": prices.of("log_gb", refreshes * assumed["log_bytes_of_a_request"] / GB),
        "traces": prices.of("trace", 2 * traced * hours * 3_600),
        "metrics that only traffic makes": prices.of("metric_month", metrics),
        "metrics of the webhook's route": prices.of("metric_month", assumed["metrics_of_a_route"]),
        "reading secrets": prices.of(
            "secret_request", assumed["environments"] * assumed["readings_of_a_secret_and_hour"] * hours
        ),
        "keys of the tables": prices.of("kms_request", tables * assumed["kms_requests_of_a_table_and_hour"] * hours),
    }


def _metrics(template: str) -> int:
    return len(set(re.findall(r"MetricName: (\w+), MetricValue", template)))


def _metrics_of_a_sweep(template: str) -> int:
    """Those that get a value from every sweep; all others cost nothing in an hour in which they get none."""
    events = "|".join(EVENTS_OF_A_SWEEP)
    of_lines = re.findall(rf"FilterPattern: '{{ \$\.fields\.event = \"(?:{events})\" }}'", template)
    # A value of zero for each line that is none.
    of_any_line = "DefaultValue: 0" in template
    return len(of_lines) + of_any_line


def _resources(template: str, kind: str) -> int:
    """Those that every stack has."""
    return len(re.findall(rf"^    Type: AWS::{kind}$(?!\n    Condition:)", template, re.MULTILINE))
