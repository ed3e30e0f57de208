"""What is made of measurements: targets, costs, limits, and the tables that documents quote."""

import json
import re
import unittest
from pathlib import Path
from typing import Any, ClassVar

from figures import costs, documents, tables
from figures.costs import Prices
from figures.limits import limits
from figures.results import Results
from figures.summary import DOCUMENTS, all_tables
from figures.targets import measured_targets
from local.paths import ROOT

MEASURED = ROOT / "bench" / "results"


def spread(median: float) -> dict[str, float]:
    """As of several runs."""
    return {"median": median}


def collection(maker: str | None, program: str, cpu_ms: float, **counts: float) -> dict[str, Any]:
    """A first collection of 10,000 rows."""
    none = {"gets": 10, "requests": {}, "write_units": 0, "write_units_of_the_index": 0}
    return {
        "maker": maker,
        "program": program,
        "rows": 10_000,
        "step": "first",
        "cpu_ms": spread(cpu_ms),
        "wall_ms": spread(cpu_ms),
        "peak_memory_kib": 40 * 1024,
        "counts": {**none, "write_units_of_the_record": 0, "read_units": 0, **counts},
    }


def results(**suites: list[dict[str, Any]]) -> Results:
    """Results of these suites."""
    return Results({name: {"measured": rows, "quick": False} for name, rows in suites.items()})


class Targets(unittest.TestCase):
    """The bounds that measurements are held to."""

    def test_what_dynamodb_calls_cost_is_taken_off_before_the_parse_floor_is_compared(self) -> None:
        measured = results(
            collections=[
                collection("ours", "collect", 500, write_units=10_500),
                collection("python", "collect in Python", 4_000),
                collection(None, "floor-write", 250),
                collection(None, "floor-items", 50),
                collection(None, "floor-parse", 150),
            ]
        )
        found = {target.what: target for target in measured_targets(measured)}
        floor = next(target for what, target in found.items() if "parse floor" in what)
        self.assertEqual((floor.measured, floor.met), (2.0, False))
        peer = next(target for what, target in found.items() if "in Python" in what)
        self.assertEqual((peer.measured, peer.met), (8.0, True))

    def test_the_sqs_call_is_taken_off_before_the_no_op_is_compared(self) -> None:
        measured = results(
            deliveries=[
                {"maker": None, "program": "floor-noop", "cpu_ms": spread(0.1)},
                {"maker": None, "program": "floor-send", "cpu_ms": spread(0.3)},
                {"maker": "ours", "program": "webhook", "cpu_ms": spread(0.35)},
            ]
        )
        target = measured_targets(measured)[0]
        self.assertAlmostEqual(target.measured, 1.5)
        self.assertEqual(target.cells()[-1], "**no**")

    def test_a_partition_at_its_limit_is_held_to_its_own_time_and_to_few_throttled_writes(self) -> None:
        row = {"rows": 200_000, "ratio": 1.04, "wasted": 0.06}
        ratio, wasted = measured_targets(results(partition=[row]))
        self.assertEqual((ratio.measured, ratio.met), (1.04, True))
        self.assertEqual(wasted.cells()[1:], ["≤ 5 %", "6.00 %", "**no**"])

    def test_large_rows_are_held_to_the_memory_of_the_worst_collection(self) -> None:
        rows = [{"peak_memory_kib": kib} for kib in (80_000, 300_000)]
        (peak,) = measured_targets(results(**{"large-rows": rows}))
        self.assertEqual(peak.cells()[1:], ["≤ 300 MB", "307 MB", "**no**"])

    def test_nothing_is_said_of_what_was_not_measured(self) -> None:
        self.assertEqual(measured_targets(results()), [])


class Costs(unittest.TestCase):
    """The cost model."""

    LOGGED: ClassVar[dict[str, int]] = {"delivery": 500, "refresh": 1_100, "sweep": 400}

    def test_a_collection_costs_its_units_requests_and_time(self) -> None:
        prices = Prices.read(ROOT / "bench" / "prices.json")
        row = collection("ours", "collect", 100, write_units=1_000, read_units=500, gets=2)
        row["counts"]["requests"] = {"BatchWriteItem": 8, "Query": 3}
        time_s = (100 * 1769 / 512 + 2 * 500 + 10 + 30) / 1_000
        wanted = 1_000 * 0.625e-6 + 500 * 0.125e-6 + 2 * 0.5e-6 + 0.2e-6 + time_s * 0.5 * 0.0000133334
        self.assertAlmostEqual(costs.collected(row, prices), wanted)

    def test_an_idle_month_counts_what_the_template_has(self) -> None:
        prices = Prices.read(ROOT / "bench" / "prices.json")
        template = "    Type: AWS::SecretsManager::Secret\n    Type: AWS::CloudWatch::Alarm\n"
        template += "    Type: AWS::CloudWatch::Alarm\n    Condition: HasEventBus\n"
        month = costs.idle_month(template, prices, self.LOGGED, sweeps=False)
        self.assertAlmostEqual(month, 0.4 + 0.1 + 30 * 86_400 * 0.25 * 0.5e-6)
        with_sweeps = costs.idle_month(template, prices, self.LOGGED, sweeps=True)
        self.assertGreater(with_sweeps, month)
        template += "      FilterPattern: '{ $.fields.event = \"readings_due\" }'\n"
        template += "      FilterPattern: '{ $.fields.event = \"rows_collected\" }'\n"
        self.assertAlmostEqual(costs.idle_month(template, prices, self.LOGGED, sweeps=True), with_sweeps + 0.3)

    def test_those_who_follow_pay_for_units_questions_and_events(self) -> None:
        prices = Prices.read(ROOT / "bench" / "prices.json")
        units = {
            "write_units_of_the_log": 3,
            "write_units_of_the_news": 2,
            "read_units_of_the_changes": 9,
            "read_units_of_no_news": 8,
        }
        month = costs.following_month(units, prices, links=1_000)
        self.assertAlmostEqual(month["writing the change logs"], 30_000 * 3 * 0.625e-6)
        self.assertAlmostEqual(month["with a bus: the events"], 30_000 * 2 * 1e-6)
        answer = 1e-6 + 0.2e-6 + (2 * 1769 / 256 + 30) / 1_000 * 0.25 * 0.0000133334
        self.assertAlmostEqual(month["reading each link's changes"], 30_000 * (answer + 9 * 0.125e-6))
        questions = 30 * 86_400 / 10 * (answer + 8 * 0.125e-6)
        self.assertAlmostEqual(month["asking every ten seconds which links have news"], questions)

    def test_what_is_logged_traced_and_counted_is_in_the_bill(self) -> None:
        prices = Prices.read(ROOT / "bench" / "prices.json")
        template = "    Type: AWS::DynamoDB::Table\n" + "{ MetricName: NewRows, MetricValue: 1 }\n" * 2
        month = costs.observing_month(template, prices, self.LOGGED, links=1_000)
        self.assertAlmostEqual(month["logs of the functions"], 30_000 * (500 + 1_100 + 2 * 1_000) / 1e9 * 0.5)
        self.assertAlmostEqual(month["traces"], 2 * 30_000 * 5e-6, msg="one a second is more than there are")
        self.assertAlmostEqual(month["metrics that only traffic makes"], 0.3)
        self.assertAlmostEqual(month["keys of the tables"], 12 * 24 * 30 * 3e-6)
        many = costs.observing_month(template, prices, self.LOGGED, links=1_000_000)
        seconds, calls = 30 * 86_400, 30_000_000
        self.assertAlmostEqual(many["traces"], 2 * (seconds + (calls - seconds) * 0.05) * 5e-6)

    def test_every_price_names_its_page(self) -> None:
        document = json.loads((ROOT / "bench" / "prices.json").read_text())
        for name, price in document["usd"].items():
            self.assertTrue(price["page"].startswith("https://aws.amazon.com/"), name)


class Documents(unittest.TestCase):
    """README and docs."""

    def test_a_quoted_table_is_replaced_and_the_rest_stays(self) -> None:
        document = "before\n<!-- figures: sizes -->\nold\n<!-- end -->\nafter\n"
        wanted = "before\n<!-- figures: sizes -->\nnew\n<!-- end -->\nafter\n"
        self.assertEqual(documents.quoted(document, {"sizes": "new"}), wanted)
        self.assertEqual(documents.quoted(document, {}), document)

    def test_what_the_documents_quote_is_what_was_measured(self) -> None:
        made = all_tables(Results.read(MEASURED))
        for path in DOCUMENTS:
            document = path.read_text()
            names = documents.names(document)
            self.assertTrue(names, f"{path.name} quotes nothing")
            self.assertLessEqual(set(names), set(made), path.name)
            self.assertEqual(documents.quoted(document, made), document, f"{path.name}: run `make quote`")

    def test_the_plots_that_the_documents_show_are_there(self) -> None:
        text = (ROOT / "docs" / "PERFORMANCE.md").read_text()
        shown = [Path(part.split(")")[0]) for part in text.split("](")[1:] if part.split(")")[0].endswith(".svg")]
        self.assertTrue(shown)
        for plot in shown:
            self.assertTrue((ROOT / "docs" / plot).resolve().exists(), str(plot))


class Measured(unittest.TestCase):
    """The committed results."""

    def test_the_narrowest_limit_comes_first(self) -> None:
        found = limits(Results.read(MEASURED), (ROOT / "template.yaml").read_text())
        self.assertEqual(found, sorted(found, key=lambda limit: limit.links))

    def test_they_are_all_of_one_run_of_a_committed_state(self) -> None:
        run = tables.one_run(Results.read(MEASURED))
        self.assertNotIn("dirty", run["versions"]["belvo-ingest"])

    def test_no_target_is_left_out(self) -> None:
        self.assertEqual(len(measured_targets(Results.read(MEASURED))), 25)

    def test_the_simulation_reads_as_many_pages_as_a_refresh(self) -> None:
        refresh = Results.read(MEASURED).row("collections", maker="ours", rows=1_000, step="refresh")
        source = (ROOT / "bench" / "src" / "scale.rs").read_text()
        self.assertIn(f"const PAGES: u32 = {refresh['counts']['gets']};", source)

    def test_no_quick_run_is_committed(self) -> None:
        for suite, result in Results.read(MEASURED).suites.items():
            self.assertFalse(result["quick"], suite)

    def test_every_maker_has_a_column(self) -> None:
        measured = Results.read(MEASURED)
        head = tables.money(measured, Prices.read(ROOT / "bench" / "prices.json"), "", {"sweep": 0}).splitlines()[0]
        self.assertEqual(head, "| US dollars | Rust (ours) | Python | Node.js |")

    def test_the_costs_in_short_are_four_lines_with_our_column_of_the_table(self) -> None:
        made = all_tables(Results.read(MEASURED))
        ours = [line.split(" | ")[1] for line in made["money"].splitlines()[2:]]
        traffic, links, seeing, idle = made["costs"].splitlines()
        amounts = re.findall(r"USD ([0-9.,]+)", "".join((traffic, links, idle)))
        self.assertEqual([amount.rstrip(".,;") for amount in amounts], ours)
        lines = [float(line.split(" | ")[1].rstrip(" |")) for line in made["observing"].splitlines()[2:]]
        (all_of_it,) = re.findall(r"cost USD ([0-9.]+)", seeing)
        self.assertAlmostEqual(float(all_of_it), sum(lines), delta=0.05)
