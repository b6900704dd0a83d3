"""Run trials in processes of their own, on a project root of the test's."""

from __future__ import annotations

import os
from pathlib import Path

from terrasweep import process
from terrasweep.config.schema import TrialConfig
from terrasweep.process.parent import Limits, Outcome
from tests.composing import compose_trial

TWO_STEPS = (
    "data.synthetic.train=12",
    "data.synthetic.val=6",
    "data.synthetic.test=0",
    "train.batch_size=4",
    "train.max_steps=2",
    "train.untimed_steps=0",
    "train.count_flops=false",
)
TINY = ("decoder=linear", *TWO_STEPS, "train.save_weights=false")
"""Overrides for a trial of two steps that takes a second or two."""

_MADE: set[str] = set()
"""What was prepared of which project root and configuration."""


def tiny(*overrides: str) -> TrialConfig:
    return compose_trial(*TINY, *overrides)


def run_measured(home: Path, config: TrialConfig, folder: Path, timeout_s: float = 300) -> Outcome:
    """Measure one trial in a child of the preloaded forkserver; the trial's folder takes its log.

    As ``run_trial`` does, except that what ``offload=nvme`` writes stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.txt"
    made_of = repr((home, config.data, config.task, config.backbone, config.offload.name, config.train.device))
    if made_of not in _MADE:
        made = process.run("tests.trials:prepare_below", {"home": str(home), "config": config}, log, Limits())
        assert made.error is None, log.read_text()
        _MADE.add(made_of)
    arguments = {"home": str(home), "config": config, "folder": folder}
    return process.run("tests.trials:measure_below", arguments, log, Limits(timeout_s=timeout_s))


def prepare_below(report, home: str, config: TrialConfig) -> None:
    """In the child, whose environment is the forkserver's: what is made once, without a deadline."""
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.trial import measure_in_child

    measure_in_child.prepare(report, config)


def measure_below(report, home: str, config: TrialConfig, folder: Path) -> None:
    """In the child: the trial."""
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.data.stored import complete
    from terrasweep.trial import measure_in_child

    measure_in_child.measure(report, complete(config), folder)
