"""What a study of many trials costs around each of them: written down, compared and looked up.

    python benchmarks/bookkeeping.py [--trials 2000]

makes up so many results, and prints processor seconds: to settle one more trial, to ask for the results and the front
behind it, as the sweep's terminal does, and to look up what is known of the next one.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from terrasweep.config.compose import public_dict
from terrasweep.config.schema import StudyConfig, TrialConfig, TrialIdentity
from terrasweep.measure.catalog import all_measurements
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import StudyFolder
from terrasweep.trial.keys import Keys
from terrasweep.trial.known import find_known

REPEATS = 5
ATTEMPT = "benchmark"
OBJECTIVES = [
    Objective(name="accuracy", direction="maximize"),
    Objective(name="throughput_samples_per_s", direction="maximize"),
    Objective(name="peak_memory_mib", direction="minimize"),
]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trials", type=int, default=2000, help="results that are there already")
    trials = options.parse_args().trials
    with tempfile.TemporaryDirectory() as home:
        os.environ["TERRASWEEP_HOME"] = home
        folder = StudyFolder(Path(home) / "results" / "study")
        for number in range(trials):
            file = folder.trials.path / str(number) / "result.json"
            file.parent.mkdir(parents=True)
            file.write_text(made_up(number).to_json())
        folder.open(record(trials + REPEATS))
        settled, shown = [], []
        for number in range(trials, trials + REPEATS):
            folder.trials.hand_out(number, ATTEMPT)
            settled.append(seconds(partial(folder.add, made_up(number), ATTEMPT)))
            shown.append(seconds(folder.results) + seconds(folder.front))
        identity = TrialIdentity(number=trials + REPEATS, attempt=ATTEMPT)
        next_one = TrialConfig(trial=identity, study=StudyConfig(name="study"))
        keys = Keys(quality="new-1", quality_in_parts="new-2", cost="new")
        find_known(next_one, keys)
        looked_up = [seconds(partial(find_known, next_one, keys)) for _ in range(REPEATS)]
    print(f"| of {trials:,} trials | processor seconds |\n| --- | ---: |")
    rows = {"settle one more": settled, "results and front behind it": shown, "look up what is known": looked_up}
    for name, found in rows.items():
        print(f"| {name} | {statistics.median(found):.3f} |")


def seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def made_up(number: int) -> TrialResult:
    drawn = random.Random(number)
    measured = {"accuracy": drawn.random(), "throughput_samples_per_s": drawn.uniform(10, 100)}
    return TrialResult(
        number=number,
        state=State.COMPLETE,
        measurements=all_measurements(measured | {"peak_memory_mib": drawn.uniform(100, 1000)}),
        config=public_dict(TrialConfig()),
        searched={"tuning.rank": 4, "train.lr": drawn.random()},
        curves={"train_loss": [(step, 1 / step) for step in range(1, 61)]},
        quality_key=f"q{number}-1",
        cost_key=f"c{number}",
    )


def record(trials: int) -> StudyRecord:
    return StudyRecord(
        name="study",
        n_trials=trials,
        objectives=OBJECTIVES,
        space={"tuning.rank": "choice(4)", "train.lr": "interval(0,1)"},
        overrides=[],
        sampler="TPESampler",
        seed=0,
        storage="optuna.db",
        tracking_uri="",
        environment={},
        started="2026-01-01T00:00:00.000+00:00",
    )


if __name__ == "__main__":
    main()
