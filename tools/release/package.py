"""The files of a release: zips, a template that names them, and checksums. For one commit, they are always the same."""

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local import paths, template
from local.errors import LocalError
from release.source import Source

RELEASES = paths.ROOT / ".local" / "release"
SUMS = "SHA256SUMS"
TEMPLATE = "template.yaml"
BILL = "sbom.cdx.json"
FACTS = "release.json"
# The front for the webhook, which has no functions, and what the template's metadata names.
COPIED = ("edge.yaml", "LICENSE", "README.md")
# What a zip can say at the earliest. With the time of the commit, a program that did not change would be uploaded anew.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = 0o100755
UNIX = 3
# "AWS SAM template Metadata section properties" (AWS SAM) has the patterns and limits.
AUTHOR = re.compile(r"[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?")
LONGEST_AUTHOR = 127
LONGEST_DESCRIPTION = 256
# What says how a function is built.
OF_BUILDS = {"BuildMethod", "BuildProperties"}
APPLICATION = "AWS::ServerlessRepo::Application"
LABELS = ["belvo", "open-finance", "banking", "rust", "dynamodb", "sqs", "webhooks"]


@dataclass(frozen=True)
class Publisher:
    """Who publishes a release in the Serverless Application Repository, and where its pages are."""

    author: str
    home_page: str | None = None
    source_code: str | None = None


def programs(source: Mapping[str, Any]) -> dict[str, str]:
    """The program of each function of the template, by the names that the template and Cargo have for them."""
    return {
        name: resource["Metadata"]["BuildProperties"]["Binary"]
        for name, resource in source["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def zip_program(program: Path, file: Path) -> None:
    """Packs a program as Lambda wants it ("Building Lambda functions with Rust"): alone, executable, as `bootstrap`."""
    entry = zipfile.ZipInfo("bootstrap", ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = UNIX
    entry.external_attr = EXECUTABLE << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, program.read_bytes(), compresslevel=9)


def packaged(
    source: Mapping[str, Any], version: str, architecture: str, publisher: Publisher | None = None
) -> dict[str, Any]:
    """The template with zips beside it in the place of what is to be built."""
    globals_ = {**source["Globals"], "Function": {**source["Globals"]["Function"]}}
    del globals_["Function"]["CodeUri"]
    resources = dict(source["Resources"])
    for name, program in programs(source).items():
        function = {**resources[name], "Properties": {"CodeUri": f"{program}.zip", **resources[name]["Properties"]}}
        metadata = {key: value for key, value in function.pop("Metadata").items() if key not in OF_BUILDS}
        resources[name] = {**function, **({"Metadata": metadata} if metadata else {})}
    # Zips for another processor are not there.
    processor = {**source["Parameters"]["Architecture"], "AllowedValues": [architecture], "Default": architecture}
    return {
        **source,
        "Metadata": {**source["Metadata"], **(_application(source, version, publisher) if publisher else {})},
        "Parameters": {**source["Parameters"], "Architecture": processor},
        "Globals": globals_,
        "Resources": resources,
    }


def write(
    folder: Path, checkout: Path, built: Mapping[str, Path], architecture: str, publisher: Publisher | None
) -> None:
    """Writes the zips, the template, and what is taken as it is."""
    for name, program in built.items():
        zip_program(program, folder / f"{name}.zip")
    source = template.read(checkout / "template.yaml")
    version = folder.name
    text = yaml.safe_dump(packaged(source, version, architecture, publisher), sort_keys=False, width=120)
    (folder / TEMPLATE).write_text(text)
    for name in COPIED:
        shutil.copyfile(checkout / name, folder / name)


def facts(source: Source, architecture: str, toolchain: Mapping[str, str], built: Mapping[str, Path]) -> dict[str, Any]:
    """What the release was made of, and the programs that came out."""
    return {
        "version": source.version,
        "commit": source.commit,
        "committed": source.time.isoformat(),
        "architecture": architecture,
        "toolchain": dict(toolchain),
        "programs": {
            name: {"bytes": program.stat().st_size, "sha256": sha256(program)} for name, program in built.items()
        },
    }


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON for people and programs to read."""
    file.write_text(json.dumps(content, indent=2) + "\n")


def write_sums(folder: Path) -> None:
    """Writes the checksums of all files, for `sha256sum --check`."""
    files = sorted(file for file in folder.iterdir() if file.name != SUMS)
    (folder / SUMS).write_text("".join(f"{sha256(file)}  {file.name}\n" for file in files))


def require_whole(folder: Path) -> None:
    """Fails unless all files of a release are there and as they were made."""
    if not (folder / SUMS).exists():
        raise LocalError(f"there is no release in {folder}: make release VERSION={folder.name}, or fetch it there")
    wrong = [name for name, sum_ in _sums(folder) if not (folder / name).is_file() or sha256(folder / name) != sum_]
    if wrong:
        raise LocalError(f"{', '.join(wrong)} in {folder} differs from {SUMS}: make or fetch the release again")


def sha256(file: Path) -> str:
    """The checksum of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _sums(folder: Path) -> Iterable[tuple[str, str]]:
    for line in (folder / SUMS).read_text().splitlines():
        sum_, name = line.split("  ", 1)
        yield name, sum_


def _application(source: Mapping[str, Any], version: str, publisher: Publisher) -> dict[str, Any]:
    """What the Serverless Application Repository asks for. It takes no references to other parts of a template."""
    if not AUTHOR.fullmatch(publisher.author) or len(publisher.author) > LONGEST_AUTHOR:
        raise LocalError(
            f"AUTHOR is {publisher.author}; the Serverless Application Repository takes small letters, digits,"
            " and single hyphens between them: AUTHOR=example-org"
        )
    description = source["Description"].strip()
    if len(description) > LONGEST_DESCRIPTION:
        raise LocalError(f"the template's Description has {len(description)} characters, and may have 256")
    pages = {"HomePageUrl": publisher.home_page, "SourceCodeUrl": publisher.source_code}
    application = {
        "Name": "belvo-ingest",
        "Description": description,
        "Author": publisher.author,
        "SpdxLicenseId": "Apache-2.0",
        "LicenseUrl": "LICENSE",
        "ReadmeUrl": "README.md",
        "Labels": LABELS,
        "SemanticVersion": version,
        **{name: page for name, page in pages.items() if page},
    }
    return {APPLICATION: application}
