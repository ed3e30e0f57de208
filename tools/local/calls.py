"""Which calls the functions make: what MiniStack asks their policies about, each once, in a file of the stack's.

`python -m permissions` compares them with what the roles of template.yaml allow.
"""

import json
import os
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

from local import processes


def file() -> Path:
    """The file of the stack that this process belongs to."""
    return Path(os.environ[processes.MARK]) / "calls.jsonl"


def record() -> None:
    """Writes down each call that MiniStack decides by the policies of a role: who, which action, on what."""
    decide, known = iam_evaluator.evaluate, set[tuple[str, str, str]]()

    def evaluate(context: iam_evaluator.EvalContext, *policies: Any) -> iam_evaluator.EvalResult:
        call = (context.principal_arn, context.action, context.resource_arn)
        if call not in known:
            known.add(call)
            with file().open("a") as lines:
                print(json.dumps(call), file=lines)
        return decide(context, *policies)

    iam_evaluator.evaluate = evaluate
