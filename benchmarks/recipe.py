"""Accuracy against training time: the recipe of a constant learning rate, and the default one.

    python benchmarks/recipe.py
    python benchmarks/recipe.py --seeds 5 sweeps=own_data data.root=fields train.max_steps=400

Both train the same configuration from the same weights, seed by seed in turn, and are validated ten times on the way.
The table compares them at parts of the time that the slower one takes in all: mean accuracy over the seeds, and the
difference of each pair, its mean and its range.
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
    "constant": ("schedule=constant", "augment=none", "optimizer.decay_all=true"),
    "default": (),
}
VALIDATIONS = 10
PARTS = (0.25, 0.5, 0.75, 1.0)
Curve = list[tuple[float, float]]


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
    """Training seconds and accuracy at each validation."""
    length = compose(overrides).train
    if length.steps is None:
        raise SystemExit("train.epochs: give the length in steps, train.max_steps")
    every = max(1, length.steps // VALIDATIONS)
    result = run_trial(compose([*overrides, f"train.validate_every={every}", "train.keep=last"]), folder)
    if result.state is not State.COMPLETE:
        raise SystemExit(f"{' '.join(overrides)}: {result.state}: {result.message}")
    seconds = dict(result.curves[VAL_SECONDS])
    return [(seconds[step], accuracy) for step, accuracy in result.curves[VAL_ACCURACY]]


def reached(curve: Curve, seconds: float) -> float:
    """The accuracy of the last validation by then; of the first one before it."""
    return next((accuracy for time, accuracy in reversed(curve) if time <= seconds), curve[0][1])


def table(curves: dict[str, list[Curve]]) -> str:
    """As Markdown."""
    names = list(curves)
    ends = {name: statistics.mean(curve[-1][0] for curve in found) for name, found in curves.items()}
    lines = [
        f"training time (s): {', '.join(f'{name} {end:.1f}' for name, end in ends.items())}",
        "",
        f"| part of the time | {' | '.join(names)} | difference, range |",
        "| --- | ---: | ---: | ---: |",
    ]
    for part in PARTS:
        # Seeds differ in speed: each curve by the slower one of its pair.
        pairs = [
            [reached(curve, part * max(one[-1][0] for one in pair)) for curve in pair]
            for pair in zip(*curves.values(), strict=True)
        ]
        means = [statistics.mean(column) for column in zip(*pairs, strict=True)]
        gains = [after - before for before, after in pairs]
        lines.append(f"| {part:.2f} | {' | '.join(f'{mean:.3f}' for mean in means)} | {spread(gains)} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Mean over the seeds, and the least and the largest value."""
    return f"{statistics.mean(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})"


if __name__ == "__main__":
    main()
