"""Planting faults: in a copy, which alone is changed, and which is compiled no more than it has to be."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import checkout
from local.errors import LocalError
from planted import faults, record

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

    def planted(self) -> Path:
        """Plants the fault, and returns in which copy."""
        tree = self.root / ".local" / "planted"
        checkout.refresh(self.root, tree)
        faults.plant(self.patch, tree)
        return tree

    def test_a_fault_is_planted_in_the_copy_alone(self) -> None:
        tree = self.planted()
        self.assertEqual((tree / "answer.txt").read_text(), "41\n")
        self.assertEqual((self.root / "answer.txt").read_text(), "42\n")

    def test_the_next_copy_is_whole_again_and_what_did_not_change_keeps_its_time(self) -> None:
        tree = self.planted()
        os.utime(tree / ".gitignore", (1, 1))
        checkout.refresh(self.root, tree)
        self.assertEqual((tree / "answer.txt").read_text(), "42\n")
        self.assertEqual((tree / ".gitignore").stat().st_mtime, 1)

    def test_a_patch_of_other_lines_is_an_error(self) -> None:
        (self.root / "answer.txt").write_text("43\n")
        with self.assertRaises(LocalError):
            self.planted()

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

    def test_the_record_keeps_what_is_known_of_other_faults(self) -> None:
        one, other = (faults.Fault(name, "The answer is wrong.", Path()) for name in ("one", "other"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "record.md"
            names = ["one", "other"]
            record.write([faults.Finding(one, 12, 3.0, "I4"), faults.Finding(other, None, 60.0, "")], path, names)
            self.assertIn("| not found | 60.0 |", path.read_text())
            record.write([faults.Finding(other, 2, 1.0, "I1")], path, names)
            self.assertIn("| 12 | 3.0 | I4 |", path.read_text())
            self.assertIn("| 2 | 1.0 | I1 |", path.read_text())
            record.write([], path, ["other"])
            self.assertNotIn("[one]", path.read_text())
