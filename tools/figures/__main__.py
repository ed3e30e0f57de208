"""`python -m figures RESULTS [--quote]`: tables and plots beside the results; `--quote` fills README and docs, too."""

import argparse
from pathlib import Path

from figures import plots
from figures.documents import quoted
from figures.results import Results
from figures.summary import DOCUMENTS, TITLES, all_tables


def main() -> None:
    """Writes `summary.md` and the plots, prints the targets."""
    parser = argparse.ArgumentParser(prog="figures")
    parser.add_argument("results", type=Path)
    parser.add_argument("--quote", action="store_true", help="fill the tables of README and docs")
    arguments = parser.parse_args()
    results = Results.read(arguments.results)
    made = all_tables(results)
    sections = [f"## {title}\n\n{made[name]}" for name, title in TITLES.items() if name in made]
    (arguments.results / "summary.md").write_text("# What was measured\n\n" + "\n\n".join(sections) + "\n")
    plots.draw(results, arguments.results)
    if arguments.quote:
        for document in DOCUMENTS:
            document.write_text(quoted(document.read_text(), made))
    print(made["targets"])
    print(f"\nThe rest is in {arguments.results / 'summary.md'}, beside it the plots.")


if __name__ == "__main__":
    main()
