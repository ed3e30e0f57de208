"""What runs is what was built."""

import io
import tempfile
import unittest
import zipfile
from pathlib import Path

from local.deployment import require_same_program
from local.errors import LocalError


def package(name: str, content: bytes) -> bytes:
    """A deployment package with one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


class DeployedProgram(unittest.TestCase):
    """A function's deployed package against its built program."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.program = Path(directory.name) / "bootstrap"
        self.program.write_bytes(b"built")

    def test_the_built_program_is_accepted(self) -> None:
        require_same_program(package("bootstrap", b"built"), self.program)

    def test_another_program_is_refused(self) -> None:
        with self.assertRaisesRegex(LocalError, "make down"):
            require_same_program(package("bootstrap", b"older"), self.program)

    def test_a_package_without_the_program_or_that_is_none_is_refused(self) -> None:
        for content in (package("other", b"built"), b"", b"no archive"):
            with self.assertRaisesRegex(LocalError, "cannot be read"):
                require_same_program(content, self.program)
