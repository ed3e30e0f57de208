"""`python -m figures RESULTS`: draws the plots beside the results. `bench report` makes the tables."""

import argparse
from pathlib import Path

from figures import plots


def main() -> None:
    """Draws every plot."""
    parser = argparse.ArgumentParser(prog="figures")
    parser.add_argument("results", type=Path)
    plots.draw(parser.parse_args().results)


if __name__ == "__main__":
    main()
