"""The child's side of :mod:`terrasweep.process.parent`: run one task, report, and turn every end into a reason."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from terrasweep.machine import startup
from terrasweep.process import lifeline
from terrasweep.results import errors
from terrasweep.results.errors import Crashed, DataError, TerrasweepError, chain, first_line, out_of_memory
from terrasweep.results.states import Reason

Message = tuple[str, dict[str, Any]]
"""``report`` with partial results, ``error`` with a reason, or ``done``."""

Report = Callable[..., None]
"""Sends keyword arguments to the parent; dictionaries are merged."""

CHILD_ERRORS: dict[Reason, type[TerrasweepError]] = {
    error.reason: error for error in TerrasweepError.__subclasses__() if error.__module__ == errors.__name__
}


def main(sender: Any, log: str, task: str, arguments: dict[str, Any]) -> None:
    """Call ``module:function`` with a Report and the arguments, and say how it ended; the process ends here."""
    _detach(log)
    startup.start_child()

    def report(**content: Any) -> None:
        sender.send(("report", content))

    try:
        if failure := _preload_failure():
            report(not_preloaded=failure)
        if _cuda_unusable():
            report(cuda_unusable=True)
        else:
            module, _, function = task.partition(":")
            getattr(importlib.import_module(module), function)(report, **arguments)
        sender.send(("done", {}))
    except BaseException as error:  # noqa: BLE001 - every end becomes a reason, an exit of a library too
        traceback.print_exc()
        known = classify(error)
        sender.send(("error", {"reason": known.reason, "message": str(known), "violation": known.violation}))
    sender.close()
    sys.stdout.flush()
    sys.stderr.flush()
    # Without the interpreter's shutdown: everything is said, and libraries' exit handlers take time or hang.
    os._exit(0)


def classify(error: BaseException) -> TerrasweepError:
    """The known error behind an exception; its causes and contexts are searched, since libraries wrap them."""
    for link in chain(error):
        if isinstance(link, TerrasweepError):
            return link
        if exhausted := out_of_memory(link):
            return exhausted
    for link in chain(error):
        if type(link).__module__.startswith("rasterio"):
            return DataError(f"the data can't be read: {first_line(link)}")
    text = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return Crashed(f"{type(error).__name__}: {text[0] if text else 'no message'}{place}")


def _preload_failure() -> str:
    """Why the forkserver has not imported the libraries; empty where it has, and in a process of another origin."""
    preloading = sys.modules.get("terrasweep.process.preloading")
    return "" if preloading is None else str(preloading.FAILURE)


def _cuda_unusable() -> bool:
    preload = sys.modules.get("terrasweep.trial.preload")
    return preload is not None and not preload.CUDA_UNTOUCHED


def _detach(log: str) -> None:
    """Lead an own process group, end with the asker as a whole group, leave Ctrl-C to it, and print to the log."""
    os.setsid()
    lifeline.end_with_asker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
