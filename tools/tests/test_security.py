"""SECURITY.md names nothing that is not there, and what it says of the template and of dependencies holds."""

import json
import os
import re
import tomllib
import unittest
from pathlib import Path
from typing import Any, ClassVar

from local import loopback, template
from local.paths import ROOT
from tests.test_openapi import of_the_document, of_the_template
from tests.test_template import Stack, transformed

TEXT = (ROOT / "SECURITY.md").read_text()
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
STRIDE = set("STRIDE")
# How a file says that it has a name, by the end of the file's name.
DEFINED = {
    ".rs": r"\b(?:fn|struct|enum|const|static) {}\b",
    ".py": r"\b(?:def|class) {}\b",
    ".yaml": r"^ +{}:",
    ".toml": r"^{} = ",
    "Makefile": r"^{}:",
}
# A sentence of four words or more is what a test is called.
TEST = r"#\[(?:tokio::)?test(?:\([^)]*\))?\]\s+(?:#\[[^\n]*\s+|///?[^\n]*\s+)*(?:async )?fn {}\("


class Page(unittest.TestCase):
    """SECURITY.md."""

    def test_every_link_leads_somewhere(self) -> None:
        for text, target in LINK.findall(TEXT):
            name, _, anchor = target.partition("#")
            file = ROOT / name if name else ROOT / "SECURITY.md"
            self.assertTrue(file.exists(), f"[{text}]({target})")
            if anchor:
                self.assertIn(anchor, anchors(file.read_text()), f"[{text}]({target})")

    def test_every_name_is_in_the_file_that_it_leads_to(self) -> None:
        names = names_in(TEXT)
        self.assertGreater(len(names), 200)
        for name, target in names:
            file = ROOT / target
            pattern = DEFINED[file.suffix or file.name]
            if file.suffix == ".rs" and name.islower() and name.count("_") >= 3:
                pattern = TEST
            self.assertTrue(re.search(pattern.format(name), file.read_text(), re.MULTILINE), f"{name} in {target}")

    def test_what_has_no_link_is_there_too(self) -> None:
        """Routes, commands, targets of make, and what is written as in template.yaml."""
        source, routes = template.read(), of_the_template().keys()
        names, targets = source["Parameters"] | source["Resources"], (ROOT / "Makefile").read_text()
        for quoted in quoted_in(TEXT):
            if found := re.fullmatch(r"(GET|POST|DELETE) (/[^?`]*)(\?.*)?", quoted):
                self.assertIn(f"{found[1]} {found[2]}", routes)
            elif found := re.match(r"make ([\w-]+)", quoted):
                self.assertTrue(re.search(rf"^{found[1]}:", targets, re.MULTILINE), quoted)
            elif found := re.match(r"belvo-ingest (\w+)", quoted):
                self.assertTrue((ROOT / "cli" / "src" / "commands" / f"{found[1]}.rs").exists(), quoted)
            elif re.fullmatch(r"([A-Z][a-z]+){2,}", quoted):
                self.assertIn(quoted, names)

    def test_every_threat_has_its_proof(self) -> None:
        routes, parts = section("Threats by route"), section("Threats by part")
        for row in rows(routes + parts):
            kinds, threat, _answer, proof, _left = row
            self.assertTrue(set(kinds.split(", ")) <= STRIDE, row)
            self.assertTrue(threat and LINK.search(proof), row)
        for part in re.split(r"^### ", routes, flags=re.MULTILINE)[1:]:
            kinds = {kind for row in rows(part) for kind in row[0].split(", ")}
            self.assertEqual(kinds, STRIDE, part.partition("\n")[0])

    def test_every_route_is_looked_at(self) -> None:
        self.assertFalse(of_the_template().keys() - quoted_in(section("Threats by route")))

    def test_every_question_has_its_proof(self) -> None:
        questions = re.split(r"^### ", section("Questionnaire"), flags=re.MULTILINE)[1:]
        numbers = [int(re.match(r"(\d+)\. .*\?\n", question)[1]) for question in questions]
        self.assertEqual(numbers, list(range(1, len(questions) + 1)))
        self.assertGreaterEqual(len(questions), 20)
        for question in questions:
            _, _, proof = question.partition("\nProof:")
            self.assertTrue(names_in(proof), question.partition("\n")[0])


class Settings(unittest.TestCase):
    """What the page says of the template."""

    template: ClassVar[dict[str, Any]]
    resources: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.template = transformed()
        cls.resources = Stack(cls.template, EventBusName="a-bus").resources

    def statements(self) -> list[dict[str, Any]]:
        """What the queues' policies say."""
        policies = [one["Properties"] for one in self.resources.values() if one["Type"] == "AWS::SQS::QueuePolicy"]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def test_queues_refuse_plain_http(self) -> None:
        """Each of them, unless a local stack is deployed."""
        queues = {name for name, one in self.resources.items() if one["Type"] == "AWS::SQS::Queue"}
        refusing = [one for one in self.statements() if one["Effect"] == "Deny"]
        for refusal in refusing:
            self.assertEqual((refusal["Principal"], refusal["Action"]), ("*", "sqs:*"))
            self.assertEqual(refusal["Condition"], {"Bool": {"aws:SecureTransport": "false"}})
        named = [arn["Fn::GetAtt"][0] for one in refusing for arn in listed(one["Resource"])]
        self.assertEqual(sorted(named), sorted(queues))

    def test_what_protects_is_on_in_every_tracked_environment(self) -> None:
        environments = tomllib.loads((ROOT / "samconfig.toml").read_text())
        for parameter in ("QueuesRequireTls", "DeletionProtection"):
            self.assertEqual(self.template["Parameters"][parameter]["Default"], "true")
            for name in ("dev", "prod"):
                overrides = environments[name]["deploy"]["parameters"].get("parameter_overrides", {})
                self.assertNotIn(parameter, overrides, name)

    def test_only_the_schedule_may_send_from_outside(self) -> None:
        (allowed,) = [one for one in self.statements() if one["Effect"] == "Allow"]
        self.assertEqual(allowed["Principal"], {"Service": "events.amazonaws.com"})
        self.assertEqual(allowed["Action"], "sqs:SendMessage")
        self.assertEqual(allowed["Resource"], {"Fn::GetAtt": ["Queue", "Arn"]})
        self.assertEqual(allowed["Condition"], {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Sweep", "Arn"]}}})

    def test_only_the_api_may_invoke(self) -> None:
        permissions = [one["Properties"] for one in self.resources.values() if one["Type"] == "AWS::Lambda::Permission"]
        self.assertEqual(len(permissions), len(of_the_template()))
        for permission in permissions:
            self.assertEqual(permission["Principal"], "apigateway.amazonaws.com")
            self.assertIn(":${__ApiId__}/", permission["SourceArn"]["Fn::Sub"][0])
        self.assertNotIn("AWS::Lambda::Url", {one["Type"] for one in self.resources.values()})

    def test_no_secret_is_in_the_template(self) -> None:
        secrets = [one for one in self.resources.values() if one["Type"] == "AWS::SecretsManager::Secret"]
        self.assertEqual(len(secrets), 2)
        for secret in secrets:
            self.assertFalse({"SecretString", "GenerateSecretString"} & secret["Properties"].keys())
        self.assertNotIn("{{resolve:", json.dumps(self.template))
        self.assertFalse([name for name, one in self.template["Parameters"].items() if "NoEcho" in one])

    def test_no_page_of_another_site_may_read(self) -> None:
        self.assertNotIn("CorsConfiguration", json.dumps(self.resources))
        self.assertNotIn("x-amazon-apigateway-cors", json.dumps(self.resources))


class Dependencies(unittest.TestCase):
    """What comes from others."""

    def test_every_dependency_has_a_hash(self) -> None:
        registry = "registry+https://github.com/rust-lang/crates.io-index"
        for directory in (".", "bench/peers/rust"):
            crates = tomllib.loads((ROOT / directory / "Cargo.lock").read_text())["package"]
            self.assertEqual({crate["source"] for crate in crates if "source" in crate}, {registry}, directory)
            hashless = [crate["name"] for crate in crates if "source" in crate and "checksum" not in crate]
            self.assertFalse(hashless, directory)
        for file in (ROOT / "tools" / "requirements").glob("*.in"):
            pins = re.split(r"\n(?=[^\s#])", file.with_suffix(".txt").read_text().strip())
            self.assertFalse([pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin], file.name)
        self.assertIn('"--require-hashes", "--only-binary=:all:"', (ROOT / "tools" / "install.py").read_text())
        for directory in ("bench/peers/node", "tools/redocly"):
            packages = json.loads((ROOT / directory / "package-lock.json").read_text())["packages"]
            self.assertFalse([name for name, one in packages.items() if name and "integrity" not in one], directory)

    def test_no_crate_of_ours_may_be_unsafe(self) -> None:
        workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
        self.assertEqual(workspace["lints"]["rust"]["unsafe_code"], "forbid")
        crates = {crate.parent: tomllib.loads(crate.read_text()) for crate in crates_of(workspace)}
        # It replaces two functions of the C library for simulated threads, and only the simulation is linked with it.
        machine = ROOT / "tests" / "simulation" / "machine"
        for folder, crate in crates.items():
            if folder != machine:
                self.assertEqual(crate["lints"], {"workspace": True}, folder)
            if folder != machine.parent:
                self.assertNotIn("simulated-machine", crate.get("dependencies", {}), folder)

    def test_no_shipped_function_trusts_more(self) -> None:
        """The feature with which benchmarks trust an authority of their own is never on by itself."""
        workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
        for crate in crates_of(workspace):
            if crate.parent.parts[-1] in ("domain", "shared") or "functions" in crate.parts:
                self.assertNotIn("default", tomllib.loads(crate.read_text()).get("features", {}), crate)
        functions = [one for one in template.read()["Resources"].values() if "BuildMethod" in one.get("Metadata", {})]
        self.assertEqual(len(functions), 5)
        for function in functions:
            self.assertEqual(function["Metadata"]["BuildProperties"].keys(), {"Binary"})


@unittest.skipUnless("API_URL" in os.environ, "needs a stack, as `make test` has one")
class Strangers(unittest.TestCase):
    """Those who call the API without a signature."""

    def test_nobody_calls_without_a_signature(self) -> None:
        for route, authorization in of_the_document().items():
            method, path = route.split(" ")
            url = os.environ["API_URL"] + re.sub(r"\{\w+\}", "bcca0da9-a4c6-4830-9676-1d54682851d9", path)
            refused = {"AWS_IAM": 403, "NONE": 401}[authorization]
            self.assertEqual(loopback.raw(method, url).status, refused, route)


def names_in(text: str) -> list[tuple[str, str]]:
    """The names that are links, and the files that they lead to."""
    return [(label.strip("`"), target) for label, target in LINK.findall(text) if re.fullmatch(r"`\w+`", label)]


def quoted_in(text: str) -> set[str]:
    """What is written as code and is no link."""
    return set(QUOTED.findall(LINK.sub("", text)))


def section(title: str) -> str:
    """A section of the page."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The rows of its tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| | threat |")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def listed(value: Any) -> list[Any]:
    """What is one or several, as several."""
    return value if isinstance(value, list) else [value]


def crates_of(workspace: dict[str, Any]) -> list[Path]:
    """The manifests of a workspace's crates."""
    return [path / "Cargo.toml" for member in workspace["members"] for path in ROOT.glob(member)]


if __name__ == "__main__":
    unittest.main()
