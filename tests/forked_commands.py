"""Run the command line in processes that are forked from one that has imported what they need.

What a user starts imports Hydra, Optuna and MLflow, and has a forkserver import TerraTorch: some 12 CPU-seconds, 18
under coverage.py, before anything of a test's own. Here that is done once for all tests of a process. What runs is the
same code, in a process of its own with its own environment, folder, output and status. A test whose point is how a
process starts or is ended, or that sets a variable that libraries read when they are imported, starts a real one.
"""

from __future__ import annotations

import fnmatch
import functools
import gc
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LONGEST_REQUEST = 2**16
HANDED_ON = (
    *("TERRASWEEP_HOME", "TERRASWEEP_SHIPPED", "HYDRA_FULL_ERROR", "COLUMNS", "PYTEST_CURRENT_TEST"),
    "MLFLOW_*",
)
"""Variables that may be others than those of the server; with another difference a command needs a real process."""


class Server:
    """The process that commands are forked from; it ends with the one that asked for it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = environment
        command = [sys.executable, "-m", "tests.forked_commands", str(its.fileno())]
        silent: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[its.fileno()], **silent)
        its.close()

    def can_run(self, environment: dict[str, str]) -> bool:
        """Whether a command can have this environment."""
        own = self._environment
        other = [name for name in environment.keys() | own.keys() if environment.get(name) != own.get(name)]
        return all(any(fnmatch.fnmatchcase(name, pattern) for pattern in HANDED_ON) for name in other)

    def run(
        self, program: str, arguments: list[str], environment: dict[str, str], cwd: str, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a script by its path, or ``terrasweep``, to its end."""
        request = {
            "program": program,
            "arguments": arguments,
            "cwd": cwd,
            "set": {name: value for name, value in environment.items() if self._environment.get(name) != value},
            "unset": [name for name in self._environment if name not in environment],
        }
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            self._socket.settimeout(timeout_s)
            socket.send_fds(self._socket, [json.dumps(request).encode()], [out.fileno(), err.fileno()])
            status = self._wait_for_end()
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess([program, *arguments], status, out.read(), err.read())

    def _wait_for_end(self) -> int:
        pid = int(self._heard())
        try:
            return int(self._heard())
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            self._socket.settimeout(None)
            self._heard()
            raise

    def _heard(self) -> bytes:
        said = self._socket.recv(LONGEST_REQUEST)
        assert said, "the server has ended"
        return said


@functools.cache
def server(python_path: str | None) -> Server:
    """This process's own, one for each set of installed packages."""
    changed = {} if python_path is None else {"PYTHONPATH": python_path}
    return Server({**os.environ, **changed})


def serve(control: socket.socket) -> dict[str, Any]:
    """In the server: fork a process per request until nobody is left to ask; in such a process, what it is to run."""
    _import_ahead()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, LONGEST_REQUEST, 2)
        if not message:
            sys.exit()
        assert threading.active_count() == 1, "a fork takes no threads along"
        pid = os.fork()
        if not pid:
            control.close()
            return {**json.loads(message), "descriptors": descriptors}
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(pid).encode())
        control.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _import_ahead() -> None:
    """The forkserver imports what trials need, this process what the command line does."""
    import multiprocessing
    from multiprocessing import forkserver

    multiprocessing.get_context("forkserver").set_forkserver_preload(["terrasweep.process.preloading"])
    forkserver.ensure_running()
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - what is forked finds it imported

    import terrasweep.cli.app
    import terrasweep.cli.check
    import terrasweep.cli.sweep_script
    import terrasweep.report.write
    import terrasweep.study.loop
    import terrasweep.study.mlflow_runs
    import terrasweep.study.sweep  # noqa: F401 - what is forked finds it imported

    gc.collect()
    gc.freeze()


def become(request: dict[str, Any]) -> None:
    """In a forked process: be as one that was started for this command alone."""
    for stream, descriptor in zip((1, 2), request["descriptors"], strict=True):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    for name in request["unset"]:
        del os.environ[name]
    os.environ.update(request["set"])
    os.chdir(request["cwd"])
    _copy_tables()
    _take_over_forkserver(request["cwd"])


def _take_over_forkserver(cwd: str) -> None:
    """Children come from the server's forkserver, with this process's environment and folder."""
    from multiprocessing import forkserver, process, resource_tracker, spawn

    process.ORIGINAL_DIR = cwd  # type: ignore[attr-defined]
    process.current_process()._config.pop("tempdir", None)  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._pid = None  # type: ignore[attr-defined]
    forkserver._forkserver.ensure_running = forkserver.ensure_running = lambda: None  # type: ignore[method-assign]
    usual = spawn.get_preparation_data

    def with_environment(name: str) -> dict[str, Any]:
        return {**usual(name), "environment": _Environment()}

    spawn.get_preparation_data = with_environment

    from terrasweep.process import parent

    context = parent._context
    # A fresh interpreter is for children that need less than the forkserver imports; here that is there already.
    parent._context = lambda start_method=None: context()


class _Environment:
    """Becomes the environment of whoever reads it from a pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"import os; os.environ.update({dict(os.environ)!r})",)


def _copy_tables() -> None:
    """MLflow's first tables are made once, by one of the commands, and are a copy of those for the others."""
    from multiprocessing import util

    from terrasweep.study import mlflow_tables

    make, made = mlflow_tables._make, Path(util.get_temp_dir()) / "mlflow.db"  # The server's folder still.

    def make_or_copy(path: Path) -> None:
        if made.exists():
            shutil.copy(made, path)
        else:
            make(path)
            shutil.copy(path, made)

    mlflow_tables._make = make_or_copy


def run(program: str, arguments: list[str]) -> None:
    """Run it as this process's own program."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    if program == "terrasweep":
        from terrasweep.cli.app import main

        sys.argv = ["-c", *arguments]
        main()
    else:
        sys.argv = [program, *arguments]
        sys.path[0] = str(Path(program).parent)
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    from tests import forked_commands

    request = forked_commands.serve(socket.socket(fileno=int(sys.argv[1])))
    forked_commands.become(request)
    forked_commands.run(request["program"], request["arguments"])
