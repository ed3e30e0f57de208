"""Which programs npm may run while it installs packages."""

import json
import tempfile
import unittest
from pathlib import Path

import peers
from local import npm

# Writes down what it is called with. `ci` makes what an installation leaves.
NPM = """#!/bin/sh
echo "$*" >> "$CALLS"
mkdir -p node_modules
"""


class Install(unittest.TestCase):
    """With an npm that installs nothing."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        self.calls = self.folder / "calls"
        program = self.folder / "bin" / "npm"
        program.parent.mkdir()
        program.write_text(NPM)
        program.chmod(0o755)

    def install(self, *scripts: str) -> list[str]:
        """What npm was called with."""
        packages = self.folder / "packages"
        self.assertTrue(npm.install(self.folder, peers.SOURCES, packages, *scripts, CALLS=str(self.calls)))
        self.assertTrue((packages / "node_modules").is_dir())
        return self.calls.read_text().splitlines()

    def test_no_package_runs_a_script(self) -> None:
        self.assertEqual(self.install(), ["--loglevel=error ci --ignore-scripts"])

    def test_but_for_those_that_are_named(self) -> None:
        _, rebuild = self.install("one", "another")
        self.assertEqual(rebuild, "--loglevel=error rebuild --ignore-scripts=false one another")

    def test_every_package_that_has_one_is_named_or_does_without(self) -> None:
        """A script that is new in an update has to be looked at."""
        packages = json.loads((peers.SOURCES / "package-lock.json").read_text())["packages"]
        with_scripts = {name for name, package in packages.items() if package.get("hasInstallScript")}
        self.assertEqual(with_scripts, {f"node_modules/{name}" for name in peers.SCRIPTS})
