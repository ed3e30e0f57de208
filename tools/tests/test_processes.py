"""Nothing that was started is left behind."""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from local import processes, watch
from local.waiting import wait_for

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


class Ending(unittest.TestCase):
    """Ending processes."""

    def test_what_a_marked_command_left_behind_ends_with_the_stack(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            state = Path(directory)
            env = {**os.environ, processes.MARK: directory}
            started = subprocess.run(
                ["/bin/sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"], env=env, capture_output=True, check=True
            )
            child = int(started.stdout)
            wait_for("the child to start", lambda: processes.alive(child, state), 10)
            processes.stop_all(state)
            self.assertFalse(processes.alive(child, state))

    def test_one_process_ends_and_its_neighbours_stay(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            state = Path(directory)
            env = {**os.environ, processes.MARK: directory}
            with (
                subprocess.Popen(["/bin/sleep", "60"], env=env) as one,
                subprocess.Popen(["/bin/sleep", "60"], env=env) as other,
            ):
                for started in (one, other):
                    wait_for("it to start", lambda pid=started.pid: processes.alive(pid, state), 10)
                processes.stop(one.pid, state)
                self.assertEqual((processes.alive(one.pid, state), processes.alive(other.pid, state)), (False, True))
                processes.stop_all(state)

    def test_a_server_that_ignores_a_polite_end_is_killed(self) -> None:
        with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as server:
            server.stdout.readline()
            before = time.monotonic()
            watch.end(server, seconds=0.1)
            self.assertLess(time.monotonic() - before, 10)
            self.assertIsNotNone(server.returncode)
