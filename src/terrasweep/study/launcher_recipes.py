"""How many trials a launcher runs at a time, as its recipe in conf/hydra/launcher/ says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNSAID = {"n_jobs": -1, "array_parallelism": 256}
"""joblib's and submitit's keys for it, with the values that their launchers have where nobody said anything."""


def trials_at_once(launcher: Mapping[str, Any]) -> int:
    """The size of a batch: the launcher's own number where a recipe or the user gives one, else one trial.

    Args:
        launcher: The settings of Hydra's launcher.
    """
    given = [launcher[key] for key, unsaid in _UNSAID.items() if launcher.get(key, unsaid) != unsaid]
    return max(1, *given) if given else 1
