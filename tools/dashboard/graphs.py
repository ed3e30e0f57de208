"""What the dashboard shows: graphs that each answer a question, with the thresholds of the alarms on their metrics."""

from typing import Any, NamedTuple

OURS = "${AWS::StackName}"
WEBHOOKS = ["ApiId", "${Api}", "Stage", "$default", "Method", "POST", "Resource", "/webhooks/belvo"]


class Line(NamedTuple):
    """A metric, and how its values of a period become one."""

    metric: str
    statistic: str = "Sum"
    namespace: str = OURS
    dimensions: tuple[str, ...] = ()


class Graph(NamedTuple):
    """Some metrics that are looked at together."""

    title: str
    lines: list[Line]


def _queue(metric: str, statistic: str, queue: str) -> Line:
    return Line(metric, statistic, "AWS/SQS", ("QueueName", f"${{{queue}.QueueName}}"))


def _function(metric: str, statistic: str, function: str) -> Line:
    return Line(metric, statistic, "AWS/Lambda", ("FunctionName", f"${{{function}Function}}"))


def _sums(*metrics: str) -> list[Line]:
    return [Line(metric) for metric in metrics]


ROWS: list[list[Graph]] = [
    [
        Graph("Do webhooks arrive?", _sums("AcceptedWebhooks", "UnannouncedAnswers")),
        Graph("Which are refused?", _sums("UnauthorizedWebhooks", "ForbiddenWebhooks", "ThrottledWebhooks")),
        Graph(
            "What was Belvo answered?",
            [
                Line("4xx", "Sum", "AWS/ApiGateway", tuple(WEBHOOKS)),
                Line("5xx", "Sum", "AWS/ApiGateway", tuple(WEBHOOKS)),
            ],
        ),
        Graph("How long has no webhook come? (% of the shortest period)", [Line("WebhookSilencePercent", "Maximum")]),
    ],
    [
        Graph("Which rows came?", _sums("NewRows", "ChangedRows", "GoneRows")),
        Graph("Which are missing?", _sums("MissingRows", "LeftOutRows", "HealedRows")),
        Graph("Which are doubtful?", _sums("UndatedRows", "UnprovenCollections", "ChangedFields")),
        Graph(
            "From webhook to stored (ms)",
            [Line("WebhookToStored", "p50"), Line("WebhookToStored", "p95"), Line("WebhookToStored", "Maximum")],
        ),
    ],
    [
        Graph("Which requests end badly?", _sums("IncompleteRequests", "ExpiredRequests")),
        Graph("How old is the oldest without an answer? (% of its time)", [Line("OldestUnansweredPercent", "Maximum")]),
        Graph("How late is the latest reading? (s)", [Line("OldestReadingSeconds", "Maximum")]),
        Graph("Which links need somebody?", [Line("BlockedLinks", "Maximum"), Line("StaleLinks", "Maximum")]),
    ],
    [
        Graph(
            "How does Belvo answer?",
            _sums("BelvoOk", "BelvoRefused", "BelvoRateLimited", "BelvoServerErrors", "BelvoUnanswered"),
        ),
        Graph("How long do calls wait for their turn? (ms)", _sums("BelvoWaitMilliseconds")),
        Graph("Which retrievals are spent?", _sums("Retrievals")),
        Graph("What do they leave? (% of a month)", [Line("RetrievalsLeftPercent", "Minimum")]),
    ],
    [
        Graph("How old is the oldest message? (s)", [_queue("ApproximateAgeOfOldestMessage", "Maximum", "Queue")]),
        Graph(
            "How many wait, and how many are dead letters?",
            [
                _queue("ApproximateNumberOfMessagesVisible", "Maximum", "Queue"),
                _queue("ApproximateNumberOfMessagesVisible", "Maximum", "DeadLetterQueue"),
            ],
        ),
        Graph(
            "Do functions fail?",
            [
                *_sums("ErrorLines"),
                _function("Errors", "Sum", "Collect"),
                _function("Throttles", "Sum", "Collect"),
                _function("Throttles", "Sum", "Webhook"),
            ],
        ),
        Graph("What does the API answer?", [Line("5xx", "Sum", "AWS/ApiGateway", ("ApiId", "${Api}"))]),
    ],
]


def thresholds(resources: dict[str, Any], graph: Graph) -> dict[str, Any]:
    """The alarms on a graph's metrics, and their thresholds: numbers, or references to parameters."""
    # Of one name, there may be a metric of the whole API and one of a route.
    metrics = {(line.metric, len(line.dimensions) // 2) for line in graph.lines}
    alarms = {name: entry["Properties"] for name, entry in alarms_of(resources).items()}
    return {
        name: alarm["Threshold"]
        for name, alarm in alarms.items()
        if (alarm["MetricName"], len(alarm.get("Dimensions", []))) in metrics and alarm["Statistic"] != "SampleCount"
    }


def alarms_of(resources: dict[str, Any]) -> dict[str, Any]:
    """All alarms of the template that every stack has."""
    return {
        name: entry
        for name, entry in resources.items()
        if entry["Type"] == "AWS::CloudWatch::Alarm" and "Condition" not in entry
    }
