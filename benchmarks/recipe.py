"""Accuracy against training time: the recipe that was the default before there were schedules, and the default one.

    python benchmarks/recipe.py
    python benchmarks/recipe.py --seeds 5 sweeps=own_data data.root=fields train.max_steps=400

Both train the same configuration from the same weights, seed by seed in turn, and are validated eight times on the way.
The table compares them at each validation from a quarter on, by parts of the time that the slower one takes in all, and
by parts of the steps, which say it also where the machine is not quiet: mean accuracy over the seeds, and the
difference of each pair, its mean and range. The last line has the least mean difference of all moments from a quarter
of the time on, those between the rows included. A folder is read as ``sweeps=own_data`` and keys of its own say.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

from terrasweep.config.compose import compose
from terrasweep.measure.learning_curves import VAL_ACCURACY, VAL_SECONDS
from terrasweep.results.states import State
from terrasweep.trial.run import run_trial

RECIPES: dict[str, tuple[str, ...]] = {
    "constant": (
        *("schedule=constant", "train.lr=1e-3", "train.backbone_lr_ratio=1"),
        *("augment=none", "optimizer.decay_all=true"),
    ),
    "default": (),
}
VALIDATIONS = 8
FROM = 0.25
"""The part of a training from which on the recipes are compared."""
Curve = Sequence[tuple[int, float, float]]
"""Steps, training seconds, and accuracy after them."""
Curves = Mapping[str, Sequence[Curve]]
"""Recipe to its curve by each seed."""
TIME, STEPS = "time", "steps"
_ROUNDING = 1e-9
"""A part of a whole that is taken of the whole again may miss the validation that it stands for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the curves as JSON")
    parser.add_argument("overrides", nargs="*", help="key=value for both recipes")
    arguments = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        if not any(override.startswith("data.root=") for override in arguments.overrides):
            os.environ["TERRASWEEP_HOME"] = folder
        curves = train_all(arguments.overrides, arguments.seeds, Path(folder))
    print(json.dumps(curves) if arguments.json else table(curves))


def train_all(overrides: Sequence[str], seeds: int, folder: Path) -> Curves:
    """Each recipe by each seed, in turn, so that both have the same share of whatever else the machine does."""
    curves: dict[str, list[Curve]] = {name: [] for name in RECIPES}
    for seed, (name, recipe) in itertools.product(range(seeds), RECIPES.items()):
        trial = folder / "trials" / f"{name}-{seed}"
        curves[name].append(train([*overrides, *recipe, f"train.seed={seed}"], trial))
    return curves


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
    spent = [(cost(point, by), accuracy) for *point, accuracy in curve]
    by_then = [accuracy for behind, accuracy in spent if behind <= part * whole * (1 + _ROUNDING)]
    return by_then[-1] if by_then else spent[0][1]


def cost(point: Sequence[float], by: str) -> float:
    """Of a point of a curve: its seconds, or its steps."""
    return point[1 if by == TIME else 0]


def pairs(curves: Curves, by: str) -> list[tuple[Sequence[Curve], float]]:
    """The curves of each seed, and the whole that their parts are of: what the slower one takes, since seeds differ."""
    together = zip(*curves.values(), strict=True)
    return [(pair, max(cost(curve[-1], by) for curve in pair)) for pair in together]


def moments(curves: Curves, by: str) -> list[float]:
    """Parts of the whole from a quarter on at which some curve changes; between two of them none does."""
    validated = {cost(point, by) / whole for pair, whole in pairs(curves, by) for curve in pair for point in curve}
    return sorted({FROM, *(part for part in validated if part > FROM)})


def gains(curves: Curves, part: float, by: str) -> list[float]:
    """Of each seed, what the second recipe is ahead of the first at a part of the whole."""
    found = [[reached(curve, part, by, whole) for curve in pair] for pair, whole in pairs(curves, by)]
    return [after - before for before, after in found]


def table(curves: Curves) -> str:
    """As Markdown."""
    names = list(curves)
    ends = {name: statistics.mean(curve[-1][1] for curve in found) for name, found in curves.items()}
    lines = [
        f"training time (s): {', '.join(f'{name} {end:.1f}' for name, end in ends.items())}",
        "",
        f"| part of the | {' | '.join(names)} | difference, range |",
        f"| --- |{' ---: |' * len(names)} ---: |",
    ]
    rows = (row(curves, part, by) for by in (TIME, STEPS) for part in moments(curves, STEPS))
    return "\n".join([*lines, *rows, "", least(curves)])


def row(curves: Curves, part: float, by: str) -> str:
    """The recipes at a part of the time, or of the steps."""
    found = [[reached(curve, part, by, whole) for curve in pair] for pair, whole in pairs(curves, by)]
    means = [statistics.mean(column) for column in zip(*found, strict=True)]
    accuracies = " | ".join(f"{mean:.3f}" for mean in means)
    return f"| {by}: {part:.2f} | {accuracies} | {spread(gains(curves, part, by))} |"


def least(curves: Curves) -> str:
    """Where the second recipe is the least ahead, over the seeds, and how far it is in the end."""
    means = [statistics.mean(gains(curves, part, TIME)) for part in moments(curves, TIME)]
    return f"mean difference from {FROM:.2f} of the time on: at least {min(means):+.3f}; at the end {means[-1]:+.3f}"


def spread(values: list[float]) -> str:
    """Mean over the seeds, and the least and the largest value."""
    return f"{statistics.mean(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})"


if __name__ == "__main__":
    main()
