"""Planting faults: in a copy, which alone is changed, and which is compiled no more than it has to be."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from local.errors import LocalError
from planted import copy, faults, record

PATCH = """The answer is wrong.

diff --git a/answer.txt b/answer.txt
--- a/answer.txt
+++ b/answer.txt
@@ -1 +1 @@
-42
+41
"""


class Planted(unittest.TestCase):
    """A tree with one source and one fault."""

    def setUp(self) -> None:
        """Makes the tree."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.patch = self.root / "tests" / "simulation" / "faults" / "answer-wrong.patch"
        self.patch.parent.mkdir(parents=True)
        self.patch.write_text(PATCH)
        (self.root / "answer.txt").write_text("42\n")
        (self.root / ".gitignore").write_text("/.local\n")
        init = ["git", "init", "--quiet", str(self.root)]
        subprocess.run(init, check=True)

    def test_a_fault_is_planted_in_the_copy_alone(self) -> None:
        tree = copy.of_sources(self.root)
        copy.plant(tree, self.patch)
        self.assertEqual((tree / "answer.txt").read_text(), "41\n")
        self.assertEqual((self.root / "answer.txt").read_text(), "42\n")

    def test_the_next_copy_is_whole_again_and_what_did_not_change_keeps_its_time(self) -> None:
        tree = copy.of_sources(self.root)
        os.utime(tree / ".gitignore", (1, 1))
        copy.plant(tree, self.patch)
        copy.of_sources(self.root)
        self.assertEqual((tree / "answer.txt").read_text(), "42\n")
        self.assertEqual((tree / ".gitignore").stat().st_mtime, 1)

    def test_a_patch_of_other_lines_is_an_error(self) -> None:
        (self.root / "answer.txt").write_text("43\n")
        with self.assertRaises(LocalError):
            copy.plant(copy.of_sources(self.root), self.patch)

    def test_a_fault_is_called_as_its_file_and_says_what_is_wrong(self) -> None:
        (fault,) = faults.all_of(self.root)
        self.assertEqual((fault.name, fault.title), ("answer-wrong", "The answer is wrong."))


class Found(unittest.TestCase):
    """What the simulation prints."""

    def test_the_seed_and_what_did_not_hold_are_read(self) -> None:
        printed = (
            "simulation: seed 12 fails:\npanicked at tests/a.rs:1:2:\nI4: a row is not gone\n\nsimulation: 12 runs\n"
        )
        found = faults.FOUND.search(printed)
        self.assertEqual(found and found.groups(), ("12", "I4: a row is not gone"))

    def test_the_record_has_a_row_of_each_fault(self) -> None:
        fault = faults.Fault("answer-wrong", "The answer is wrong.", Path())
        self.assertIn("| 12 | 3.0 | I4 |", record.row(faults.Finding(fault, 12, 3.0, "I4")))
        self.assertIn("| not found |", record.row(faults.Finding(fault, None, 3.0, "")))
