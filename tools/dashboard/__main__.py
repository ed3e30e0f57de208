"""`python -m dashboard template|values FILE|picture FILE PICTURE`: the steps of `make dashboard`."""

import json
import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Runs one step. They have no dependencies in common: only the last one draws, and only the others read YAML."""
    match arguments:
        case ["template"]:
            _write_template()
        case ["values", file]:
            _write_values(Path(file))
        case ["picture", file, picture]:
            from dashboard import picture as pictures

            pictures.draw(Path(file), Path(picture))
        case _:
            sys.exit(__doc__)


def _write_template() -> None:
    from dashboard import body
    from local import paths, template

    path = paths.ROOT / "template.yaml"
    path.write_text(body.put_into(path.read_text(), template.read()["Resources"]))


def _write_values(file: Path) -> None:
    """The metrics of a stack that has been through the demo and was then called with a wrong authorization."""
    from dashboard import graphs, traffic, values
    from local import aws, logs, template

    traffic.make(dict(os.environ))
    resources = template.read()["Resources"]
    metrics = values.of_log(resources, logs.lines(aws.Endpoint.of(os.environ)))
    limits = {graph.title: graphs.thresholds(resources, graph) for row in graphs.ROWS for graph in row}
    file.write_text(json.dumps({"values": metrics, "thresholds": limits}))


if __name__ == "__main__":
    main(sys.argv[1:])
