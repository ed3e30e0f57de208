"""The server: `python -m console --port N`, for the stack that the environment describes.

The first line on standard output is `{"url": …}`, once it listens; port 0 takes a free one.
"""

import argparse
import json
import os
import signal
import sys
import threading

from botocore.exceptions import BotoCoreError, ClientError

from console.feed import Feed
from console.server import Console, Server
from console.upstream import Upstream
from console.watchers import Journal, Logs, keep_watching
from local.errors import LocalError


def main() -> int:
    """Serves until it is ended; what keeps it from starting is one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="console", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0 takes a free one")
    port = parser.parse_args().port
    try:
        upstream, feed = Upstream(dict(os.environ)), Feed()
        server = Server(port, Console(upstream, feed))
        sources = [Logs(upstream.aws_endpoint), *([Journal(upstream.sandbox_url)] if upstream.sandbox_url else [])]
    except (LocalError, OSError, BotoCoreError, ClientError) as error:
        print(f"error: the console cannot start on port {port}: {error} (CONSOLE_PORT names another)", file=sys.stderr)
        return 1
    for source in sources:
        threading.Thread(target=keep_watching, args=(source, feed), daemon=True).start()
    # `shutdown` waits for the loop that this thread runs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"url": server.url}), flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
