"""The bill of materials of the functions (CycloneDX): each crate that is compiled into one, and what it is used by."""

import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local import paths
from local.errors import LocalError
from release.source import Source

APPLICATION = "belvo-ingest"
PYTHON = paths.VENVS / "release" / "bin" / "python"
# Between the fields of a line of `cargo tree`.
BETWEEN = "|"
REPEATED = " (*)"
PROC_MACRO = " (proc-macro)"


@dataclass(frozen=True, order=True)
class Crate:
    """A package of Cargo's."""

    name: str
    version: str
    license: str = field(compare=False)
    # Of this workspace, or else of the registry.
    is_ours: bool = field(compare=False)

    @property
    def reference(self) -> str:
        """How the bill names it: as a package URL, if others can find it by one."""
        if self.is_ours:
            return f"{self.name}@{self.version}"
        return f"pkg:cargo/{self.name}@{quote(self.version)}"


@dataclass(frozen=True)
class Tree:
    """The crates that some packages depend on, themselves included, and which depends on which."""

    dependencies: Mapping[Crate, frozenset[Crate]]

    @classmethod
    def read(cls, lines: Iterable[str]) -> "Tree":
        """What `cargo tree --prefix=depth` prints; what a crate depends on is there at its first place only."""
        dependencies: dict[Crate, set[Crate]] = {}
        above: list[Crate] = []
        for line in lines:
            if not line:
                continue
            depth, package, license_ = line.removesuffix(REPEATED).split(BETWEEN)
            crate = _crate(package, license_)
            dependencies.setdefault(crate, set())
            del above[int(depth) :]
            if above:
                dependencies[above[-1]].add(crate)
            above.append(crate)
        return cls({crate: frozenset(others) for crate, others in dependencies.items()})


def trees(checkout: Path, packages: Iterable[str], target: str) -> tuple[Tree, Tree]:
    """What is compiled for the packages, and what of it is linked into them: all but macros and what only these use."""
    return tuple(_tree(checkout, packages, target, edges) for edges in ("normal", "normal,no-proc-macro"))


def checksums(checkout: Path) -> dict[tuple[str, str], str]:
    """The SHA-256 of each package of the registry, by name and version."""
    packages = tomllib.loads((checkout / "Cargo.lock").read_text())["package"]
    return {(it["name"], it["version"]): it["checksum"] for it in packages if "checksum" in it}


def bill(
    source: Source, compiled: Tree, linked: Tree, sums: Mapping[tuple[str, str], str], programs: Mapping[str, str]
) -> dict[str, Any]:
    """The bill, the same for the same commit and programs; these are SHA-256 by name."""
    crates = sorted(compiled.dependencies)
    uses = {crate.reference: sorted(it.reference for it in compiled.dependencies[crate]) for crate in crates}
    ours = {crate.name: crate for crate in crates if crate.is_ours}
    root = f"{APPLICATION}@{source.version}"
    uses[root] = sorted(ours[name].reference for name in programs)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": source.time.isoformat(),
            "component": {"type": "application", "bom-ref": root, "name": APPLICATION, "version": source.version},
            "properties": [{"name": f"{APPLICATION}:commit", "value": source.commit}],
        },
        "components": [_component(crate, crate in linked.dependencies, sums, programs) for crate in crates],
        "dependencies": [{"ref": name, "dependsOn": uses[name]} for name in sorted(uses)],
    }


def require_valid(file: Path) -> None:
    """Fails unless a file is a bill by CycloneDX's schema."""
    script = Path(__file__).with_name("schema.py")
    python = paths.require(PYTHON, "python3 tools/install.py release")
    done = subprocess.run([python, "-P", script, file], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalError(f"{file.name} is not what CycloneDX's schema asks for: {done.stdout}{done.stderr}".strip())


def _tree(checkout: Path, packages: Iterable[str], target: str, edges: str) -> Tree:
    command = ["cargo", "tree", "--locked", f"--edges={edges}", f"--target={target}", "--prefix=depth"]
    command += [f"--format={BETWEEN}{{p}}{BETWEEN}{{l}}", *(f"--package={name}" for name in packages)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalError(f"cargo tree failed: {done.stderr.strip()}")
    return Tree.read(done.stdout.splitlines())


def _crate(package: str, license_: str) -> Crate:
    """Of, for example, `domain v0.1.0 (/a/checkout/domain)` or `serde_derive v1.0.229 (proc-macro)`."""
    name, version, *rest = package.removesuffix(PROC_MACRO).split(" ", 2)
    is_ours = bool(rest)
    if is_ours and not rest[0].startswith("(/"):
        raise LocalError(f"{package} is neither of this workspace nor of the registry, and has no checksum")
    # How licences were separated before expressions.
    return Crate(name, version.removeprefix("v"), " OR ".join(each.strip() for each in license_.split("/")), is_ours)


def _component(
    crate: Crate, is_linked: bool, sums: Mapping[tuple[str, str], str], programs: Mapping[str, str]
) -> dict[str, Any]:
    is_program = crate.is_ours and crate.name in programs
    sha256 = programs.get(crate.name) if crate.is_ours else sums[crate.name, crate.version]
    return {
        "type": "application" if is_program else "library",
        "bom-ref": crate.reference,
        "name": crate.name,
        "version": crate.version,
        # CycloneDX's word for what is not there when the program runs.
        "scope": "required" if is_linked else "excluded",
        **({"hashes": [{"alg": "SHA-256", "content": sha256}]} if sha256 else {}),
        "licenses": [{"expression": crate.license}],
        **({} if crate.is_ours else {"purl": crate.reference}),
    }
