"""Checks a bill of materials by CycloneDX's own schema: `.venv/release/bin/python -P tools/release/schema.py FILE`."""

import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

if __name__ == "__main__":
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path(sys.argv[1]).read_text())
    sys.exit(str(error) if error else 0)
