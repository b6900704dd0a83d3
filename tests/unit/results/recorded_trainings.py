"""Learning curves of real trials, and how they were recorded.

On a CPU, with one thread, in the project's root; the second command writes the file anew::

    python sweep.py -m study.name=recorded study.n_trials=24 hydra/sweeper/sampler=random train.validate_every=6 \\
      reuse=off 'train.lr=choice(1e-3,3e-3,1e-2)'
    python -m tests.unit.results.recorded_trainings results/recorded
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from terrasweep.results.optimistic_bound import FinishedTraining, TrainingUnderWay, find_beating
from terrasweep.results.trial_result import TrialResult
from tests.unit.results.simulated_trainings import OBJECTIVES, dominates

FILE = Path(__file__).with_name("recorded_trainings.json")


def read():
    """Each complete trial, with its curve over the parts of its training."""
    trials = json.loads(FILE.read_text())["trials"]
    return [
        FinishedTraining(
            number=trial["number"],
            objective_values=trial["values"],
            curves={"accuracy": [(part, value) for part, value in trial["curve"]]},
            cost_key=trial["cost_key"],
        )
        for trial in trials
    ]


def replay(trials, seed, margins):
    """The trials once more, in another order, each stopped where it would have been.

    Returns:
        How many are on the front, how many of those were stopped, and which part of the steps was saved.
    """
    order = random.Random(seed).sample(trials, len(trials))
    finished, stopped, saved = [], set(), 0.0
    for trial in order:
        for part in _parts(trial):
            if find_beating(_until(trial, part), finished, OBJECTIVES, margins):
                stopped.add(trial.number)
                saved += 1 - part
                break
        else:
            finished.append(trial)
    points = {
        trial.number: tuple(trial.objective_values[objective.name] for objective in OBJECTIVES) for trial in trials
    }
    front = [number for number, own in points.items() if not any(dominates(other, own) for other in points.values())]
    return len(front), sum(number in stopped for number in front), saved / len(trials)


def _parts(trial):
    return [part for part, _ in trial.curves["accuracy"] if part < 1]


def _until(trial, part):
    found = [value for at, value in trial.curves["accuracy"] if at <= part]
    costs = {name: value for name, value in trial.objective_values.items() if name != "accuracy"}
    return TrainingUnderWay(part=part, found={"accuracy": found}, costs=costs, cost_key=trial.cost_key)


def record(study):
    """Write the file from a study's folder."""
    trials = []
    for file in sorted(study.glob("trials/*/result.json"), key=lambda file: int(file.parent.name)):
        result = TrialResult.from_json(file.read_text())
        if result.state == "complete":
            curve = result.curves["val_accuracy"]
            trials.append(
                {
                    "number": result.number,
                    "cost_key": result.cost_key,
                    "searched": result.searched,
                    "values": {objective.name: round(result.value(objective.name), 5) for objective in OBJECTIVES},
                    "curve": [[round(step / curve[-1][0], 4), round(value, 5)] for step, value in curve],
                }
            )
    lines = ",\n".join(f"  {json.dumps(trial)}" for trial in trials)
    FILE.write_text(f'{{"trials": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    record(Path(sys.argv[1]))
