"""A complete trial's trained weights: those that were kept, or of the same trial trained again."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from terrasweep.config.schema import BudgetConfig, TrialConfig
from terrasweep.machine.paths import WEIGHTS
from terrasweep.results.errors import Crashed
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial.run import run_trial


@contextlib.contextmanager
def folder_with_weights(title: str, folder: Path, result: TrialResult, config: TrialConfig, log: str) -> Iterator[Path]:
    """The folder with a trial's weights; where they were not kept, that of the same trial trained again.

    Args:
        title: Of the trial.
        folder: Its own.
        result: What it came to; the accuracy after training again is told beside it.
        config: Its configuration.
        log: What the file in its folder is called that keeps what a training said which failed.

    Raises:
        Crashed: It did not train again.
    """
    if (folder / WEIGHTS).is_dir():
        yield folder
        return
    train = config.train
    _say(f"{title}: its weights were not kept; training it again, with seed {train.seed} for {train.length} ...")
    with tempfile.TemporaryDirectory(prefix=".again-", dir=folder) as scratch:
        again = run_trial(_to_train_again(config), Path(scratch))
        if again.state is not State.COMPLETE or not (Path(scratch) / WEIGHTS).is_dir():
            shutil.copy(Path(scratch) / "log.txt", folder / log)
            raise Crashed(f"{title}: it did not train again: {again.message}; see {folder / log}")
        name, before, now = result.accuracy_name, result.value("accuracy"), again.value("accuracy")
        verdict = "the same" if now == before else f"it was {before:.6g}"
        _say(f"{name} after training again: {now:.6g}; {verdict}")
        yield Path(scratch)


def _to_train_again(config: TrialConfig) -> TrialConfig:
    """The trial without limits that another machine may miss, and with its weights saved."""
    return replace(
        config,
        budget=BudgetConfig(),
        study=replace(config.study, keep_weights="all"),
        train=replace(config.train, save_weights=True, count_flops=False),
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
