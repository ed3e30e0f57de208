"""`make mutants` runs what is undecided, and what survives has a reason."""

import json
import tempfile
import unittest
from pathlib import Path

import checkout
from local import paths
from mutants import areas, page, record, survivors
from mutants.__main__ import PAGE, RECORD, problems
from mutants.areas import AREAS, Area
from mutants.cargo import Workshop, outcomes
from mutants.page import Counts
from mutants.record import Record, Standing
from mutants.run import Run, of_shard
from mutants.survivors import Findings, Mutant
from preflight.page import quoted
from release.source import git

FILE = "src/lib.rs"
CODE = "fn sum(a: u8, b: u8) -> u8 {\n    a + b\n}\n"
MINUS = f"{FILE}:2:7: replace + with - in sum"
TIMES = f"{FILE}:2:7: replace + with * in sum"
ZERO = f"{FILE}:2:5: replace sum -> u8 with 0"
NAMES = [MINUS, TIMES, ZERO]
AREA = Area("sums", "sums", ("src/*.rs",), (), ("tests/*.rs",), 1)
STANDING = Standing("code", (), "tests", "2026-01-02T00:00:00Z", "abc")


class Checkout(unittest.TestCase):
    """A checkout with one file of code and one of tests."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for file, text in ((FILE, CODE), ("tests/sums.rs", "one"), (".gitignore", "/.local\n")):
            self.write(file, text)
        git(self.root, "init")
        git(self.root, "add", ".")
        git(self.root, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-m", "one")

    def write(self, file: str, text: str) -> None:
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        (self.root / file).write_text(text)


class Fake(Workshop):
    """cargo-mutants, which has these mutants and decides some of them."""

    decides: dict[str, str]
    # What it decides although it was not asked to.
    extra: dict[str, str]
    ran: list[list[str]]
    has_broken_off = False

    def listed(self, _: Area) -> dict[str, list[str]]:
        return {FILE: NAMES}

    def run(self, _: Area, __: str, names: list[str]) -> None:
        self.ran.append(names)
        summaries = {outcome: summary for summary, outcome in SUMMARIES.items()}
        decided = {name: self.decides[name] for name in names if name in self.decides} | self.extra
        report = [_scenario(name, summaries[outcome]) for name, outcome in decided.items()]
        self.report.parent.mkdir(parents=True, exist_ok=True)
        self.report.write_text(json.dumps({"outcomes": report}))
        if self.has_broken_off:
            raise KeyboardInterrupt


SUMMARIES = {"CaughtMutant": "caught", "MissedMutant": "missed", "Timeout": "timeout", "Unviable": "unviable"}


def _scenario(name: str, summary: str) -> dict:
    return {"scenario": {"Mutant": {"name": name}}, "summary": summary}


class Runs(Checkout):
    """What is run, and what is not run again."""

    def setUp(self) -> None:
        super().setUp()
        self.workshop = Fake(self.root, Path("cargo-mutants"))
        self.workshop.ran, self.workshop.extra = [], {}
        self.workshop.decides = {MINUS: "missed", TIMES: "caught", ZERO: "timeout"}

    def run_all(self, is_again: bool = False) -> Standing:
        checkout.refresh(self.root, self.workshop.copy)
        run = Run(self.workshop, Record.read(self.root / "record.json"), is_again)
        run.area(AREA, "", (1, 1))
        return Record.read(self.root / "record.json").files[FILE]

    def test_what_was_decided_is_not_run_again(self) -> None:
        known = self.run_all()
        self.assertEqual((known.caught, known.missed, known.timeout, known.viable()), (1, (MINUS,), (ZERO,), 3))
        self.assertEqual(self.run_all(), known)
        self.assertEqual(self.workshop.ran, [NAMES])

    def test_other_code_is_run_whole(self) -> None:
        self.run_all()
        self.write(FILE, CODE + "const MORE: u8 = 1;\n")
        self.run_all()
        self.assertEqual(self.workshop.ran, [NAMES, NAMES])

    def test_a_file_that_only_got_more_tests_of_its_own_is_not_run_whole(self) -> None:
        one, other = "    #[test]\n    fn one() {}\n", "    #[test]\n    fn other() {}\n"
        for texts, ran in (((one,), NAMES), ((one, other), [MINUS]), ((other,), NAMES), ((other + "x",), NAMES)):
            self.write(FILE, CODE + record.TESTS + "\n".join(texts) + "}\n")
            self.write("tests/sums.rs", "".join(texts))
            self.run_all()
            self.assertEqual(self.workshop.ran[-1], ran, texts)

    def test_after_other_tests_only_what_was_missed_is_run(self) -> None:
        self.run_all()
        self.write("tests/sums.rs", "two")
        self.workshop.decides, self.workshop.extra = {MINUS: "caught"}, {TIMES: "caught"}
        known = self.run_all()
        self.assertEqual(self.workshop.ran[1:], [[MINUS]])
        self.assertEqual((known.caught, known.missed, known.timeout), (2, (), (ZERO,)))

    def test_everything_is_run_again_on_demand(self) -> None:
        self.run_all()
        self.run_all(is_again=True)
        self.assertEqual(self.workshop.ran, [NAMES, NAMES])

    def test_what_was_interrupted_continues(self) -> None:
        everything = self.workshop.decides
        self.workshop.decides, self.workshop.has_broken_off = {TIMES: "caught"}, True
        for _ in range(2):
            with self.assertRaises(KeyboardInterrupt):
                self.run_all()
        self.workshop.decides, self.workshop.has_broken_off = everything, False
        self.assertEqual(self.run_all().found(), 2)
        self.assertEqual(self.workshop.ran, [NAMES, [MINUS, ZERO], [MINUS, ZERO]])

    def test_what_was_interrupted_begins_anew_with_other_code(self) -> None:
        self.workshop.has_broken_off = True
        with self.assertRaises(KeyboardInterrupt):
            self.run_all()
        self.workshop.has_broken_off = False
        self.write(FILE, CODE + "const MORE: u8 = 1;\n")
        self.run_all()
        self.assertEqual(self.workshop.ran, [NAMES, NAMES])

    def test_shards_have_each_file_once_and_the_largest_apart(self) -> None:
        listed = {"a": ["1"], "b": ["1", "2", "3"], "c": ["1", "2"]}
        self.assertEqual([of_shard(listed, (shard, 2)) for shard in (1, 2)], [["b", "a"], ["c"]])


class Copies(Checkout):
    """The copy in which mutants are made."""

    def test_a_copy_has_the_files_of_the_checkout_and_no_others(self) -> None:
        tree = self.root / ".local" / "tree"
        checkout.refresh(self.root, tree)
        self.write("new.rs", "new")
        (tree / FILE).write_text("a mutant")
        (tree / "left.txt").write_text("by a test")
        before = (tree / "tests" / "sums.rs").stat().st_mtime_ns
        checkout.refresh(self.root, tree)
        found = sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file())
        self.assertEqual(found, [".gitignore", "new.rs", FILE, "tests/sums.rs"])
        self.assertEqual((tree / FILE).read_text(), CODE)
        self.assertEqual((tree / "tests" / "sums.rs").stat().st_mtime_ns, before)


class Records(unittest.TestCase):
    """What is kept."""

    def test_a_record_takes_over_what_another_knows_later(self) -> None:
        early, late = STANDING, Standing("code", (), "tests", "2026-01-03T00:00:00Z", "def")
        ours, theirs = Record(Path(), {"a": early, "b": late}), Record(Path(), {"a": late, "b": early, "c": early})
        ours.merge(theirs)
        self.assertEqual(ours.files, {"a": late, "b": late, "c": early})

    def test_the_outcomes_of_cargo_mutants_are_read(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "outcomes.json"
            self.assertEqual(outcomes(report), {})
            baseline = {"scenario": "Baseline", "summary": "Success"}
            mutants = [_scenario(name, summary) for name, summary in zip("abcd", SUMMARIES, strict=True)]
            report.write_text(json.dumps({"outcomes": [baseline, *mutants]}))
            self.assertEqual(outcomes(report), dict(zip("abcd", SUMMARIES.values(), strict=True)))


class Survivors(Checkout):
    """Mutants that no test notices."""

    def test_a_survivor_is_known_by_the_line_that_it_changes(self) -> None:
        found = survivors.mutant(self.root, MINUS)
        self.assertEqual(found, Mutant(FILE, "replace + with - in sum", "a + b"))
        self.write(FILE, f"\n{CODE}")
        self.assertEqual(survivors.mutant(self.root, MINUS.replace(":2:", ":3:")), found)

    def test_a_survivor_needs_a_reason_and_a_reason_a_survivor(self) -> None:
        listed, new = Mutant(FILE, "one", ""), Mutant(FILE, "two", "")
        self.assertEqual(survivors.compare([new], [listed]), Findings([new], [listed]))
        self.assertEqual(survivors.compare([listed], [listed]), Findings([], []))

    def test_too_few_that_are_caught_are_a_problem(self) -> None:
        def found(caught: int) -> list[str]:
            known = Standing("", (), "", "", "", caught=caught, missed=(MINUS,))
            return problems({"sums": {FILE: known}}, Findings([], []))

        self.assertEqual(found(19), [])
        self.assertEqual(found(18), ["sums: 94.7 % are caught"])


class Page(unittest.TestCase):
    """The page that quotes the record."""

    def test_the_worst_file_is_first_and_a_hundred_percent_has_no_survivor(self) -> None:
        good, bad = (
            Standing("", (), "", "", "", caught=2999, missed=(MINUS,)),
            Standing("", (), "", "", "", missed=NAMES),
        )
        table = page.files_table({"sums": {"good": good, "bad": bad}}).splitlines()[2:]
        self.assertEqual(table[0], "| `bad` | 3 | 0 | 0 | 3 | 0 | 0.0 % |")
        self.assertEqual(table[1], "| `good` | 3000 | 2999 | 0 | 1 | 0 | 99.9 % |")

    def test_an_area_says_when_it_was_run_and_at_which_commit_last(self) -> None:
        def run(*dates: str) -> str:
            runs = [Standing("", (), "", f"{date}T00:00:00Z", f"of-{date}") for date in dates]
            table = page.areas_table({"sums": {known.date: known for known in runs}})
            return table.splitlines()[-1].rpartition("% | ")[2]

        self.assertEqual(run(), "not yet |")
        self.assertEqual(run("2026-01-02"), "2026-01-02 at of-2026-01-02 |")
        self.assertEqual(run("2026-02-03", "2026-01-02"), "2026-01-02 to 2026-02-03, at of-2026-02-03 |")

    def test_it_quotes_the_record(self) -> None:
        known = Record.read(RECORD)
        of_areas = {area.name: known.of(areas.files(area, paths.ROOT)) for area in AREAS}
        text = PAGE.read_text()
        self.assertEqual(quoted(text, page.tables(of_areas, survivors.listed())), text)

    def test_every_area_has_enough_that_are_caught(self) -> None:
        known = Record.read(RECORD)
        for area in AREAS:
            with self.subTest(area.name):
                self.assertGreaterEqual(Counts(known.of(areas.files(area, paths.ROOT)).values()).percent, 95)

    def test_the_line_of_every_listed_survivor_is_there(self) -> None:
        for mutant, reason in survivors.listed().items():
            with self.subTest(mutant):
                lines = (paths.ROOT / mutant.file).read_text().splitlines()
                self.assertIn(mutant.line, {line.strip() for line in lines})
                self.assertTrue(reason.endswith("."), reason)
