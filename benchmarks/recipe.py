"""Accuracy against training time: the recipe that was the default before there were schedules, and the default one.

    python benchmarks/recipe.py
    python benchmarks/recipe.py --seeds 5 sweeps=own_data data.root=fields train.max_steps=400

Both train the same configuration from the same weights, seed by seed in turn, and are validated eight times on the way.
The table compares them at parts of the time that the slower one takes in all, and at parts of the steps, which say it
also where the machine is not quiet: mean accuracy over the seeds, and the difference of each pair, its mean and range.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

from terrasweep.config.compose import compose
from terrasweep.measure.learning_curves import VAL_ACCURACY, VAL_SECONDS
from terrasweep.results.states import State
from terrasweep.trial.run import run_trial

RECIPES: dict[str, tuple[str, ...]] = {
    "constant": ("schedule=constant", "train.lr=1e-3", "augment=none", "optimizer.decay_all=true"),
    "default": (),
}
VALIDATIONS = 8
PARTS = (0.25, 0.5, 0.75, 1.0)
Curve = list[tuple[int, float, float]]
"""Steps, training seconds, and accuracy after them."""
TIME, STEPS = "time", "steps"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the curves as JSON")
    parser.add_argument("overrides", nargs="*", help="key=value for both recipes")
    arguments = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        if not any(override.startswith("data.root=") for override in arguments.overrides):
            os.environ["TERRASWEEP_HOME"] = folder
        curves: dict[str, list[Curve]] = {name: [] for name in RECIPES}
        for seed in range(arguments.seeds):
            for name, recipe in RECIPES.items():
                trial = Path(folder) / "trials" / f"{name}-{seed}"
                curves[name].append(train([*arguments.overrides, *recipe, f"train.seed={seed}"], trial))
    print(json.dumps(curves) if arguments.json else table(curves))


def train(overrides: list[str], folder: Path) -> Curve:
    """Steps, training seconds and accuracy at each validation."""
    length = compose(overrides).train
    if length.steps is None:
        raise SystemExit("train.epochs: give the length in steps, train.max_steps")
    every = max(1, length.steps // VALIDATIONS)
    result = run_trial(compose([*overrides, f"train.validate_every={every}", "train.keep=last"]), folder)
    if result.state is not State.COMPLETE:
        raise SystemExit(f"{' '.join(overrides)}: {result.state}: {result.message}")
    seconds = dict(result.curves[VAL_SECONDS])
    return [(step, seconds[step], accuracy) for step, accuracy in result.curves[VAL_ACCURACY]]


def reached(curve: Curve, part: float, by: str, whole: float) -> float:
    """The accuracy of the last validation by a part of the whole; of the first one before it."""
    spent = [(seconds if by == TIME else step, accuracy) for step, seconds, accuracy in curve]
    return next((accuracy for cost, accuracy in reversed(spent) if cost <= part * whole), spent[0][1])


def table(curves: dict[str, list[Curve]]) -> str:
    """As Markdown."""
    names = list(curves)
    ends = {name: statistics.mean(curve[-1][1] for curve in found) for name, found in curves.items()}
    lines = [
        f"training time (s): {', '.join(f'{name} {end:.1f}' for name, end in ends.items())}",
        "",
        f"| part of the | {' | '.join(names)} | difference, range |",
        f"| --- |{' ---: |' * len(names)} ---: |",
    ]
    return "\n".join([*lines, *(row(curves, part, by) for by in (TIME, STEPS) for part in PARTS)])


def row(curves: dict[str, list[Curve]], part: float, by: str) -> str:
    """The recipes at a part of the time, or of the steps."""
    # Seeds differ in speed: each curve by the slower one of its pair.
    pairs = [
        [reached(curve, part, by, max(one[-1][1 if by == TIME else 0] for one in pair)) for curve in pair]
        for pair in zip(*curves.values(), strict=True)
    ]
    means = [statistics.mean(column) for column in zip(*pairs, strict=True)]
    gains = [after - before for before, after in pairs]
    return f"| {by}: {part:.2f} | {' | '.join(f'{mean:.3f}' for mean in means)} | {spread(gains)} |"


def spread(values: list[float]) -> str:
    """Mean over the seeds, and the least and the largest value."""
    return f"{statistics.mean(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})"


if __name__ == "__main__":
    main()
