"""The static files of the page, by path. They are read anew each time, so that a saved change shows on reload."""

from pathlib import Path

from console.upstream import Answer

PAGE = Path(__file__).resolve().parent / "page"
# Where a finished or cancelled connection leads back to.
NAMES = {"/": "index.html", "/connected": "returned.html", "/cancelled": "returned.html"}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def find(path: str) -> Answer | None:
    """The file of a path, if there is one. Only names of the folder itself are looked up."""
    name = NAMES.get(path, path.removeprefix("/"))
    known = {file.name: file for file in PAGE.iterdir() if file.suffix in TYPES}
    file = known.get(name)
    return Answer(200, file.read_bytes(), TYPES[file.suffix]) if file else None
