"""The bill of materials has what is in the functions, and no more."""

import json
import subprocess
import tempfile
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from local import paths, template
from local.errors import LocalError
from release import build, package, sbom, source
from release.sbom import Crate, Tree
from release.source import Source

SOURCE = Source(source.stated_version(paths.ROOT), "c" * 40, datetime(2026, 1, 2, tzinfo=UTC))
LINES = """\
0|query v0.1.0 (/a/checkout/functions/query)|Apache-2.0
1|serde v1.0.2|MIT OR Apache-2.0
2|serde_derive v1.0.2 (proc-macro)|MIT/Apache-2.0
3|syn v3.0.0|MIT / Apache-2.0
1|shared v0.1.0 (/a/checkout/shared)|Apache-2.0
2|serde v1.0.2|MIT OR Apache-2.0 (*)

0|webhook v0.1.0 (/a/checkout/functions/webhook)|Apache-2.0
1|shared v0.1.0 (/a/checkout/shared)|Apache-2.0 (*)
"""


def by_name(tree: Tree) -> dict[str, set[str]]:
    """What depends on what."""
    return {crate.name: {it.name for it in others} for crate, others in tree.dependencies.items()}


class Trees(unittest.TestCase):
    """What `cargo tree` prints."""

    def test_each_crate_has_what_it_depends_on(self) -> None:
        expected = {
            "query": {"serde", "shared"},
            "serde": {"serde_derive"},
            "serde_derive": {"syn"},
            "syn": set(),
            "shared": {"serde"},
            "webhook": {"shared"},
        }
        self.assertEqual(by_name(Tree.read(LINES.splitlines())), expected)

    def test_licences_are_expressions(self) -> None:
        licences = {crate.name: crate.license for crate in Tree.read(LINES.splitlines()).dependencies}
        self.assertEqual(licences["serde_derive"], "MIT OR Apache-2.0")
        self.assertEqual(licences["syn"], "MIT OR Apache-2.0")

    def test_a_crate_that_is_not_of_the_registry_is_refused(self) -> None:
        with self.assertRaisesRegex(LocalError, "neither of this workspace nor of the registry"):
            Tree.read(["0|some v1.0.0 (https://example.org/some.git#0123abcd)|MIT"])

    def test_a_package_url_is_one(self) -> None:
        crate = Crate("zstd-sys", "2.0.16+zstd.1.5.7", "MIT", is_ours=False)
        self.assertEqual(crate.reference, "pkg:cargo/zstd-sys@2.0.16%2Bzstd.1.5.7")


class Bill(unittest.TestCase):
    """That of this checkout. Nothing is compiled."""

    programs: ClassVar[dict[str, str]]
    bill: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.programs = {
            name: f"{number:064x}" for number, name in enumerate(package.programs(template.read()).values())
        }
        cls.bill = cls.written()

    @classmethod
    def written(cls) -> dict[str, Any]:
        """The bill of the functions as they are shipped."""
        compiled, linked = sbom.trees(paths.ROOT, cls.programs, build.TARGETS["arm64"])
        return sbom.bill(SOURCE, compiled, linked, sbom.checksums(paths.ROOT), cls.programs)

    def components(self) -> dict[str, dict[str, Any]]:
        """What it lists, by Cargo's name and version."""
        return {f"{it['name']} v{it['version']}": it for it in self.bill["components"]}

    def of_cargo(self, edges: str) -> set[str]:
        """What Cargo itself lists for the functions, one by one."""
        names = set()
        for program in self.programs:
            command = ["cargo", "tree", "--locked", f"--package={program}", "--target=aarch64-unknown-linux-gnu"]
            command += [f"--edges={edges}", "--prefix=none", "--format={p}"]
            done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=True)
            names |= {" ".join(line.split()[:2]) for line in done.stdout.splitlines()}
        return names

    def test_it_has_exactly_the_crates_of_the_functions(self) -> None:
        components = self.components()
        self.assertEqual(len(components), len(self.bill["components"]))
        self.assertEqual(set(components), self.of_cargo("normal"))

    def test_what_only_compiles_is_marked(self) -> None:
        linked = {name for name, component in self.components().items() if component["scope"] == "required"}
        self.assertEqual(linked, self.of_cargo("normal,no-proc-macro"))
        self.assertIn("excluded", {component["scope"] for component in self.components().values()})

    def test_each_crate_has_its_checksum(self) -> None:
        """A function has that of its program; the workspace's own libraries have none, since nobody fetches them."""
        without = {it["name"] for it in self.bill["components"] if "hashes" not in it}
        self.assertEqual(without, {"domain", "shared"})
        lock = (paths.ROOT / "Cargo.lock").read_text()
        for component in self.bill["components"]:
            if "purl" in component:
                ((digest),) = component["hashes"]
                self.assertIn(f'checksum = "{digest["content"]}"', lock)
        functions = {
            it["name"]: it["hashes"][0]["content"] for it in self.bill["components"] if it["name"] in self.programs
        }
        self.assertEqual(functions, self.programs)

    def test_the_functions_are_what_the_application_is_made_of(self) -> None:
        root = self.bill["metadata"]["component"]["bom-ref"]
        uses = {it["ref"]: it["dependsOn"] for it in self.bill["dependencies"]}
        version = self.bill["metadata"]["component"]["version"]
        self.assertEqual(set(uses[root]), {f"{name}@{version}" for name in self.programs})
        references = {it["bom-ref"] for it in self.bill["components"]}
        self.assertEqual(set(uses), references | {root})
        self.assertLess({name for names in uses.values() for name in names}, references | {root})

    def test_it_is_always_the_same(self) -> None:
        self.assertEqual(json.dumps(self.written()), json.dumps(self.bill))
        self.assertNotIn("serialNumber", self.bill)
        self.assertEqual(self.bill["metadata"]["timestamp"], "2026-01-02T00:00:00+00:00")

    def test_no_path_of_this_machine_is_in_it(self) -> None:
        self.assertNotIn(str(paths.ROOT), json.dumps(self.bill))

    def test_a_release_is_not_made_with_an_invalid_one(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            file, python = Path(directory) / "sbom.cdx.json", Path(directory) / "python"
            python.write_text("#!/bin/sh\necho 'what is wrong'; exit 1\n")
            python.chmod(0o755)
            with patch.object(sbom, "PYTHON", python), self.assertRaisesRegex(LocalError, "what is wrong"):
                sbom.require_valid(file)

    def test_the_schema_takes_it(self) -> None:
        if not sbom.PYTHON.exists():
            self.skipTest("needs .venv/release, which `make release` installs and checks with")
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "sbom.cdx.json"
            package.write_json(file, self.bill)
            sbom.require_valid(file)
            package.write_json(file, {**self.bill, "version": "first"})
            with self.assertRaisesRegex(LocalError, "not what CycloneDX's schema asks for"):
                sbom.require_valid(file)
