"""What a launcher's settings mean for trials: how many run at a time, where, and whether they can run at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_UNSAID = {"n_jobs": -1, "array_parallelism": 256}
"""joblib's and submitit's keys for it, with the values that their launchers have where nobody said anything."""

_IN_THIS_PROCESS = "BasicLauncher"
"""Hydra's own launcher, which runs one trial after the other by itself."""
_HERE = (_IN_THIS_PROCESS, "JoblibLauncher")
"""Launchers whose trials run on this machine."""


def runs_here(launcher: Mapping[str, Any]) -> bool:
    """Whether trials run on this machine, so that what it lacks they lack."""
    return str(launcher.get("_target_", "")).endswith(_HERE)


def runs_in_this_process(launcher: Mapping[str, Any]) -> bool:
    """Whether the sweep's own process starts the trials' processes, so that it has to import for them."""
    return str(launcher.get("_target_", "")).endswith(_IN_THIS_PROCESS)


def find_bad_settings(launcher: Mapping[str, Any]) -> Iterator[str]:
    """One line per setting with which no trial can run."""
    if not str(launcher.get("_target_", "")).endswith("JoblibLauncher"):
        return
    backend, require = launcher.get("backend") or "loky", launcher.get("require")
    if backend != "loky":
        reason = "its workers may not start the process of a trial" if backend == "multiprocessing" else "not supported"
        yield f"hydra.launcher.backend={backend}: {reason}; use loky"
    if require is not None:
        yield f"hydra.launcher.require={require}: joblib would run trials in threads of one process; leave it null"


def trials_at_once(launcher: Mapping[str, Any]) -> int:
    """The size of a batch: the launcher's own number where a recipe or the user gives one, else one trial.

    Args:
        launcher: The settings of Hydra's launcher.
    """
    given = [launcher[key] for key, unsaid in _UNSAID.items() if launcher.get(key, unsaid) != unsaid]
    return max(1, *given) if given else 1
