"""What a release is made of, and what is refused."""

import copy
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local import aws, paths, template
from local.errors import LocalError
from release import __main__ as command
from release import build, package, sbom, source
from release.build import Workplace
from release.package import Publisher
from release.source import Source
from tests.test_template import transformed

MANIFEST = '[workspace.package]\nversion = "{}"\n'
NOBODY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class Folder(unittest.TestCase):
    """Tests with files of their own."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)


class Repository(Folder):
    """Tests with a repository of their own."""

    def setUp(self) -> None:
        super().setUp()
        variables = patch.dict(os.environ, NOBODY)
        variables.start()
        self.addCleanup(variables.stop)
        self.root = self.folder / "repository"
        self.root.mkdir()
        self.git("init", "--quiet")
        self.commit("1.2.3")

    def git(self, *arguments: str) -> str:
        """What git prints there."""
        return source.git(self.root, *arguments)

    def commit(self, version: str) -> str:
        """Commits functions of this version."""
        (self.root / "Cargo.toml").write_text(MANIFEST.format(version))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=Some")
        return self.git("rev-parse", "HEAD")


class Versions(Repository):
    """Which commit may be released as which version."""

    def refused(self, version: str) -> str:
        """Why a version is."""
        with self.assertRaises(LocalError) as error:
            source.of_release(self.root, version)
        return str(error.exception)

    def test_a_release_is_the_commit_that_is_checked_out(self) -> None:
        released = source.of_release(self.root, "1.2.3")
        self.assertEqual(released.commit, self.git("rev-parse", "HEAD"))
        self.assertEqual(released.time.isoformat(), self.git("show", "-s", "--format=%cI").replace("Z", "+00:00"))

    def test_what_is_not_committed_is_not_released(self) -> None:
        (self.root / "new").touch()
        self.assertIn("not as they were committed: new", self.refused("1.2.3"))
        (self.root / "new").unlink()
        (self.root / "Cargo.toml").write_text("")
        self.assertIn("Cargo.toml", self.refused("1.2.3"))

    def test_a_version_has_three_numbers(self) -> None:
        for version in ("1.2", "v1.2.3", "1.2.3-rc.1", "01.2.3", "1.2.3\n", "../1.2.3"):
            self.assertIn("is not a version", self.refused(version))
        self.assertIn("no version is named", self.refused(""))

    def test_it_is_the_one_that_the_functions_state(self) -> None:
        self.assertIn("the functions say that they are 1.2.3, by Cargo.toml: put 1.3.0 there", self.refused("1.3.0"))

    def test_it_is_above_the_last_one(self) -> None:
        for tag in ("v1.2.2", "v1.2.10", "v0.9.0", "v2.0.0-rc.1", "vendor"):
            self.git("tag", tag)
        self.commit("1.2.9")
        self.assertIn("1.2.9 is not above the last release, v1.2.10", self.refused("1.2.9"))
        self.commit("1.2.10")
        self.assertIn("1.2.10 is not above", self.refused("1.2.10"))
        self.commit("1.2.11")
        self.assertEqual(source.of_release(self.root, "1.2.11").version, "1.2.11")

    def test_a_release_can_be_built_again(self) -> None:
        self.git("tag", "v1.2.3")
        first = source.of_release(self.root, "1.2.3")
        self.commit("1.3.0")
        self.git("tag", "v1.3.0")
        self.git("checkout", "--quiet", "v1.2.3")
        self.assertEqual(source.of_release(self.root, "1.2.3"), first)


class Builds(Repository):
    """What is compiled, and with what."""

    def setUp(self) -> None:
        super().setUp()
        (self.root / "main.rs").write_text("fn main() {}")
        (self.root / ".gitignore").write_text("ignored\n")
        self.head = self.commit("1.2.3")
        self.place = Workplace(self.folder / "a place")
        (self.root / "ignored").touch()
        build.check_out(self.root, self.head, self.place)

    def made_of(self, *files: Path) -> None:
        """Lists what a program was made of, as Cargo does."""
        record = self.place.target / "aarch64-unknown-linux-gnu" / "release" / "query.d"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(f"/a/program: {' '.join(str(file).replace(' ', chr(92) + ' ') for file in files)}\n")

    def require(self) -> None:
        """Checks the one program."""
        build.require_of_commit(self.place, self.head, ["query"], "arm64")

    def test_a_workplace_has_the_files_of_the_commit_only(self) -> None:
        names = {path.name for path in self.place.checkout.iterdir()}
        self.assertEqual(names, {".git", ".gitignore", "Cargo.toml", "main.rs"})

    def test_programs_are_of_the_commit(self) -> None:
        self.made_of(self.place.checkout / "main.rs", self.place.target / "made.rs")
        self.require()

    def test_a_file_from_elsewhere_is_seen(self) -> None:
        self.made_of(self.place.checkout / "main.rs", self.root / "main.rs")
        with self.assertRaisesRegex(LocalError, "query was made of .*/repository/main.rs"):
            self.require()

    def test_a_file_that_is_not_committed_is_seen(self) -> None:
        self.made_of(self.place.checkout / "main.rs")
        (self.place.checkout / "ignored").touch()
        with self.assertRaisesRegex(LocalError, "changed: !! ignored"):
            self.require()

    def test_a_file_that_changed_is_seen(self) -> None:
        self.made_of(self.place.checkout / "main.rs")
        (self.place.checkout / "main.rs").write_text("fn main() { evil() }")
        with self.assertRaisesRegex(LocalError, "changed: .*main.rs"):
            self.require()

    def test_another_commit_is_seen(self) -> None:
        self.made_of(self.place.checkout / "main.rs")
        self.head = "0" * 40
        with self.assertRaisesRegex(LocalError, "was to be built"):
            self.require()

    def test_no_path_and_no_flag_of_the_machine_reaches_the_compiler(self) -> None:
        done = subprocess.CompletedProcess([], 0)
        theirs = {
            "CARGO_HOME": "/their/cargo",
            "CARGO_ENCODED_RUSTFLAGS": "-Copt-level=0",
            "CARGO_PROFILE_RELEASE_LTO": "off",
            "CFLAGS": "-g",
            "RUSTC_WRAPPER": "something",
            "RUSTFLAGS": "-g",
            "https_proxy": "proxy",
        }
        with (
            patch.dict(os.environ, theirs),
            patch("release.build.subprocess.run", return_value=done) as run,
        ):
            programs = build.build(self.place, ["query"], "arm64")
        variables, argv = run.call_args.kwargs["env"], run.call_args.args[0]
        self.assertFalse(variables.keys() & (theirs.keys() - {"CARGO_HOME", "https_proxy"}))
        self.assertEqual(variables["CARGO_BUILD_RUSTFLAGS"], "--remap-path-prefix=/their/cargo=/cargo")
        self.assertLess({"--locked", "--release", "--arm64", "--bin=query"}, set(argv))
        self.assertEqual(programs, {"query": self.place.directory / "programs" / "query" / "bootstrap"})

    def test_a_home_of_its_own_shares_nothing(self) -> None:
        done = subprocess.CompletedProcess([], 0)
        place = Workplace(self.place.directory, cargo_home=self.folder / "home")
        with patch("release.build.subprocess.run", return_value=done) as run:
            build.build(place, ["query"], "x86_64")
        variables = run.call_args.kwargs["env"]
        self.assertEqual(variables["CARGO_BUILD_RUSTFLAGS"], f"--remap-path-prefix={self.folder}/home=/cargo")
        for name in ("CARGO_HOME", "CARGO_ZIGBUILD_CACHE_DIR", "ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"):
            self.assertTrue(variables[name].startswith(f"{self.folder}/home"))
        self.assertIn("--x86-64", run.call_args.args[0])

    def test_make_package_ships_the_same(self) -> None:
        """It is what `make deploy` builds with."""
        argv = ["make", "--dry-run", "--always-make", "package"]
        recipe = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=True).stdout
        self.assertIn("print(build.rustflags())", recipe)
        self.assertIn('CARGO_BUILD_RUSTFLAGS="$flags" .venv/sam/bin/sam build', recipe)

    def test_the_flags_are_known_before_anything_is_installed(self) -> None:
        argv = [sys.executable, "-S", "-c", "from release import build; print(build.rustflags())"]
        variables = {"PYTHONPATH": str(paths.ROOT / "tools"), "HOME": "/their"}
        done = subprocess.run(argv, env=variables, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "--remap-path-prefix=/their/.cargo=/cargo\n")


class Files(Folder):
    """The files of a release."""

    PUBLISHER = Publisher("example-org", "https://example.org", "https://example.org/code")
    SOURCE = Source("1.2.3", "c" * 40, datetime(2026, 1, 2, tzinfo=UTC))

    def programs(self) -> dict[str, Path]:
        """One for each function."""
        built = {}
        for name in sorted(package.programs(template.read()).values()):
            built[name] = self.folder / f"program-{name}"
            built[name].write_bytes(name.encode() * 1000)
        return built

    def release(self) -> Path:
        """A whole release, but for its bill of materials."""
        folder = self.folder / "1.2.3"
        folder.mkdir()
        package.write(folder, paths.ROOT, self.programs(), "arm64", None)
        package.write_json(folder / "release.json", package.facts(self.SOURCE, "arm64", {"zig": "1"}, self.programs()))
        package.write_sums(folder)
        return folder

    def test_each_function_has_a_program_of_its_own(self) -> None:
        programs = package.programs(template.read())
        self.assertEqual(len(set(programs.values())), len(programs))
        self.assertIn("webhook", programs.values())

    def test_a_zip_is_always_the_same_and_runs(self) -> None:
        program = self.folder / "program"
        program.write_bytes(b"some program")
        zips = [self.folder / "one.zip", self.folder / "another.zip"]
        for time, mode, file in zip((0, 10**9), (0o600, 0o755), zips, strict=True):
            os.utime(program, (time, time))
            program.chmod(mode)
            package.zip_program(program, file)
        self.assertEqual(zips[0].read_bytes(), zips[1].read_bytes())
        with zipfile.ZipFile(zips[0]) as archive:
            (entry,) = archive.infolist()
            self.assertEqual((entry.filename, archive.read(entry)), ("bootstrap", b"some program"))
            self.assertEqual(entry.external_attr >> 16, 0o100755)

    def test_a_release_is_always_the_same(self) -> None:
        first = self.release()
        moved = first.rename(self.folder / "moved")
        self.assertEqual((moved / "SHA256SUMS").read_text(), (self.release() / "SHA256SUMS").read_text())

    def test_the_template_says_the_same_but_for_the_code(self) -> None:
        written = self.release() / "template.yaml"
        self.assertNotIn("&id", written.read_text())
        self.assertEqual(template.read(written), package.packaged(template.read(), "1.2.3", "arm64"))
        theirs, ours = self.transformed(written), transformed()
        functions = package.programs(template.read())
        for name, program in functions.items():
            code = theirs["Resources"][name]["Properties"]["Code"]
            self.assertEqual(code, {"S3Bucket": "bucket", "S3Key": f"{program}.zip"})
            theirs["Resources"][name]["Properties"]["Code"] = ours["Resources"][name]["Properties"]["Code"]
            self.assertEqual(ours["Resources"][name].pop("Metadata")["BuildProperties"], {"Binary": program})
        self.assertEqual(theirs["Resources"], ours["Resources"])
        self.assertEqual(theirs["Outputs"], ours["Outputs"])

    def transformed(self, file: Path) -> dict[str, Any]:
        """A template of a release as CloudFormation gets it, after the zips were uploaded."""
        uploaded = copy.deepcopy(template.read(file))
        for name in package.programs(template.read()):
            properties = uploaded["Resources"][name]["Properties"]
            self.assertTrue((file.parent / properties["CodeUri"]).is_file())
            properties["CodeUri"] = f"s3://bucket/{properties['CodeUri']}"
        return Translator({}, Parser(), boto_session=boto3.Session(region_name=aws.REGION)).translate(uploaded, {})

    def test_it_takes_no_other_processor(self) -> None:
        parameter = package.packaged(template.read(), "1.2.3", "arm64")["Parameters"]["Architecture"]
        self.assertEqual((parameter["AllowedValues"], parameter["Default"]), (["arm64"], "arm64"))

    def test_nobody_is_named_as_its_publisher_who_is_not_given(self) -> None:
        self.assertEqual(package.packaged(template.read(), "1.2.3", "arm64")["Metadata"], template.read()["Metadata"])

    def test_what_is_given_is_for_the_serverless_application_repository(self) -> None:
        metadata = package.packaged(template.read(), "1.2.3", "arm64", self.PUBLISHER)["Metadata"]
        application = metadata["AWS::ServerlessRepo::Application"]
        self.assertEqual(application["SemanticVersion"], "1.2.3")
        self.assertEqual(application["Author"], "example-org")
        self.assertEqual(application["HomePageUrl"], "https://example.org")
        self.assertEqual(application["SourceCodeUrl"], "https://example.org/code")
        for name in ("LicenseUrl", "ReadmeUrl"):
            self.assertIn(application[name], package.COPIED)
        self.assertLessEqual(len(application["Labels"]), 10)
        for label in application["Labels"]:
            self.assertRegex(label, r"^[a-zA-Z0-9+\-_:/@]+$")
        self.assertNotIn("HomePageUrl", self.application(Publisher("someone")))

    def application(self, publisher: Publisher) -> dict[str, Any]:
        """What the repository gets to know."""
        return package.packaged(template.read(), "1.2.3", "arm64", publisher)["Metadata"][package.APPLICATION]

    def test_an_author_that_the_repository_refuses_is_refused(self) -> None:
        for author in ("Example", "two words", "-a", "a--b", "a" * 128):
            with self.assertRaisesRegex(LocalError, "AUTHOR"):
                self.application(Publisher(author))

    def test_pages_without_an_author_are_refused(self) -> None:
        with self.assertRaisesRegex(LocalError, "AUTHOR"):
            command._publisher(command._parser().parse_args(["make", "1.2.3", "--home-page=https://example.org"]))

    def test_facts_are_of_the_programs(self) -> None:
        facts = json.loads((self.release() / "release.json").read_text())
        self.assertEqual((facts["commit"], facts["committed"]), ("c" * 40, "2026-01-02T00:00:00+00:00"))
        programs = self.programs()
        self.assertEqual(facts["programs"]["query"]["sha256"], package.sha256(programs["query"]))
        self.assertEqual(facts["programs"]["query"]["bytes"], programs["query"].stat().st_size)

    def test_the_checksums_are_those_of_sha256sum(self) -> None:
        folder = self.release()
        argv = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        files = {file.name for file in folder.iterdir()} - {"SHA256SUMS"}
        self.assertEqual({line.split(":")[0] for line in done.stdout.splitlines()}, files)

    def test_a_release_that_changed_is_seen(self) -> None:
        folder = self.release()
        package.require_whole(folder)
        (folder / "query.zip").write_bytes(b"another")
        (folder / "template.yaml").unlink()
        with self.assertRaisesRegex(LocalError, "query.zip, template.yaml .* differs"):
            package.require_whole(folder)

    def test_a_release_that_is_not_there_is_named(self) -> None:
        with self.assertRaisesRegex(LocalError, "there is no release .*make release VERSION=9.9.9"):
            package.require_whole(self.folder / "9.9.9")

    def test_a_template_is_read_by_other_tools(self) -> None:
        """It has no short forms of functions, so that any reader of YAML takes it."""
        written = yaml.safe_load((self.release() / "template.yaml").read_text())
        self.assertEqual(written["Transform"], "AWS::Serverless-2016-10-31")


class Commands(Folder):
    """`python -m release` on this checkout, with compilers that compile nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.release = source.of_head(paths.ROOT)
        self.of_release = self.enterContext(patch.object(source, "of_release", return_value=self.release))
        self.enterContext(patch.object(source, "require_clean"))
        self.enterContext(patch.object(package, "RELEASES", self.folder / "releases"))
        self.enterContext(patch.object(command, "REPRODUCTION", self.folder / "reproduction"))
        self.enterContext(patch.object(build, "check_out", side_effect=self.checked_out))
        self.build = self.enterContext(patch.object(build, "build", side_effect=self.built))
        self.enterContext(patch.object(build, "require_of_commit"))
        self.enterContext(patch.object(build, "toolchain", return_value={"rustc": "1"}))
        self.enterContext(patch.object(sbom, "require_valid"))
        self.said = self.enterContext(patch("sys.stdout", io.StringIO()))
        self.errors = self.enterContext(patch("sys.stderr", io.StringIO()))

    def checked_out(self, root: Path, _: str, place: Workplace) -> None:
        """This checkout itself, whatever is in it."""
        place.directory.mkdir(parents=True)
        place.checkout.symlink_to(root)

    def built(self, place: Workplace, names: list[str], _: str) -> dict[str, Path]:
        """Programs that say where they were built, if `differing` does."""
        programs = {}
        for name in names:
            programs[name] = place.directory / name
            programs[name].write_text(f"{name}{place.directory if name in self.differing else ''}")
        return programs

    differing: ClassVar[set[str]] = set()

    def run_with(self, *argv: str) -> int:
        """The exit code."""
        with patch("sys.argv", ["release", *argv]):
            return command.main()

    def test_a_release_has_all_its_files_and_leaves_nothing_else(self) -> None:
        self.assertEqual(self.run_with("make", self.release.version), 0, self.errors.getvalue())
        (folder,) = (self.folder / "releases").iterdir()
        package.require_whole(folder)
        names = {f"{name}.zip" for name in package.programs(template.read()).values()}
        others = {"edge.yaml", "LICENSE", "README.md", "SHA256SUMS", "release.json", "sbom.cdx.json", "template.yaml"}
        self.assertEqual({file.name for file in folder.iterdir()}, names | others)
        facts = json.loads((folder / "release.json").read_text())
        self.assertEqual(facts["commit"], self.release.commit)
        bill = json.loads((folder / "sbom.cdx.json").read_text())
        (query,) = (it for it in bill["components"] if it["name"] == "query")
        self.assertEqual(query["hashes"][0]["content"], facts["programs"]["query"]["sha256"])

    def test_a_release_takes_the_place_of_an_earlier_try(self) -> None:
        earlier = self.folder / "releases" / self.release.version / "old.zip"
        earlier.parent.mkdir(parents=True)
        earlier.touch()
        self.run_with("make", self.release.version)
        self.assertFalse(earlier.exists())

    def test_another_commit_in_the_meantime_makes_no_release(self) -> None:
        self.of_release.side_effect = [self.release, Source(self.release.version, "0" * 40, self.release.time)]
        self.assertEqual(self.run_with("make", self.release.version), 1)
        self.assertIn("another commit was checked out", self.errors.getvalue())
        self.assertFalse((self.folder / "releases" / self.release.version).exists())

    def test_what_is_wrong_is_found_before_anything_is_built(self) -> None:
        self.assertEqual(self.run_with("make", self.release.version, "--author=Two Words"), 1)
        self.build.assert_not_called()

    def test_equal_programs_are_reproduced(self) -> None:
        self.assertEqual(self.run_with("reproduce"), 0, self.errors.getvalue())
        self.assertIn("each program is the same in both builds", self.said.getvalue())
        first, second = (call.args[0] for call in self.build.call_args_list)
        self.assertNotEqual(len(str(first.checkout)), len(str(second.checkout)))
        self.assertEqual((first.cargo_home, second.cargo_home.parent), (None, second.directory))
        self.assertFalse((self.folder / "reproduction").exists())

    def test_a_program_that_differs_is_named_and_kept(self) -> None:
        self.enterContext(patch.object(Commands, "differing", {"query"}))
        self.assertEqual(self.run_with("reproduce"), 1)
        self.assertIn("query differs between two builds", self.errors.getvalue())
        self.assertEqual(len(list((self.folder / "reproduction").rglob("query"))), 2)
