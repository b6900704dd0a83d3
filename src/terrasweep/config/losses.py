"""Which losses each task can be trained with, what they can do, and with which arguments. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from terrasweep.config.schema import TaskConfig
from terrasweep.results.wording import nearest

AUTO = "auto"
"""The value of ``task.class_weights`` that takes them from the training split."""

Number = float | bool | None


@dataclass(frozen=True, kw_only=True)
class Argument:
    """A number of ``task.loss_arguments``."""

    default: Number
    """A truth value takes truth values, null takes null and numbers, any other number numbers."""
    highest: float = math.inf
    zero: bool = True
    """Whether it may be 0; never below."""

    def refusal(self, value: Any) -> str:
        """Why it can't have this value, and what it can have; empty where it can."""
        if isinstance(self.default, bool):
            return "" if isinstance(value, bool) else "use true or false"
        if value is None and self.default is None:
            return ""
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if (number >= 0 if self.zero else number > 0) and number <= self.highest and math.isfinite(number):
            return ""
        null = ", or null" if self.default is None else ""
        lowest = "0 or more" if self.zero else "more than 0"
        return f"use a number of {lowest}{f' and at most {self.highest:g}' if self.highest < math.inf else ''}{null}"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a loss does beside comparing outputs with labels."""

    weighs: bool = False
    """Whether it takes ``task.class_weights``."""
    ignores: bool = True
    """Whether it can leave out ``task.ignore_index``."""
    means: bool = True
    """Whether it is a mean over the labels that count, so that a batch's is the weighted mean of its parts'."""
    arguments: dict[str, Argument] = field(default_factory=dict)
    """What ``task.loss_arguments`` may hold, by name."""
    sum_above_zero: tuple[str, ...] = ()
    """Arguments of which one at least has to be above 0."""


_FOCUS = {"gamma": Argument(default=2.0), "alpha": Argument(default=None, highest=1.0)}
_FALSE = {"alpha": Argument(default=0.3), "beta": Argument(default=0.7)}
# As TerraTorch has it, so that studies with task.loss=focal stay what they were.
_FOCAL = Loss(weighs=True, means=False, arguments={**_FOCUS, "normalized": Argument(default=True)})

LOSSES: dict[str, dict[str, Loss]] = {
    "segmentation": {
        "ce": Loss(weighs=True),
        "dice": Loss(means=False),
        "dice_ce": Loss(
            weighs=True,
            means=False,
            arguments={"dice": Argument(default=1.0), "ce": Argument(default=1.0)},
            sum_above_zero=("dice", "ce"),
        ),
        "focal": _FOCAL,
        "focal_tversky": Loss(
            weighs=True,
            means=False,
            arguments={**_FALSE, "gamma": Argument(default=4 / 3, zero=False)},
            sum_above_zero=("alpha", "beta"),
        ),
        "jaccard": Loss(ignores=False, means=False),
        "lovasz": Loss(means=False),
        "tversky": Loss(weighs=True, means=False, arguments=_FALSE, sum_above_zero=("alpha", "beta")),
    },
    # TerraTorch offers bce, too, but hands it class numbers, for which it isn't defined.
    "classification": {"ce": Loss(weighs=True), "focal": _FOCAL, "jaccard": Loss(ignores=False, means=False)},
    # TerraTorch's focal and jaccard are not importable here, and ce would make the labels compete.
    "multilabel": {
        "bce": Loss(weighs=True),
        "balanced_bce": Loss(ignores=False, means=False),
        "focal": Loss(arguments=_FOCUS),
    },
    "regression": {"huber": Loss(), "mae": Loss(), "mse": Loss(), "rmse": Loss(means=False)},
}
"""Task to the names of its losses, as TerraTorch calls those that it has."""

_NEAREST: dict[str, str | list[str]] = {"dice_ce": ["ce", "dice"], "tversky": "dice", "focal_tversky": "dice"}
"""Losses that TerraTorch has no name for, and what its own configuration comes nearest with."""


def loss_arguments(task: TaskConfig) -> dict[str, Number]:
    """The arguments of a task's loss: those that are given, and the defaults of the others."""
    known = LOSSES[task.name][task.loss].arguments
    return {name: argument.default for name, argument in known.items()} | task.loss_arguments


def find_bad_arguments(task: TaskConfig) -> Iterator[str]:
    """One line per entry of ``task.loss_arguments`` that the task's loss does not take."""
    loss = LOSSES[task.name][task.loss]
    lines = []
    for name, value in task.loss_arguments.items():
        if name not in loss.arguments:
            way_out = nearest(str(name), loss.arguments) if loss.arguments else "it takes none: drop it"
            lines.append(f"task.loss_arguments.{name}: task.loss={task.loss} has no such argument; {way_out}")
        elif refusal := loss.arguments[name].refusal(value):
            lines.append(f"task.loss_arguments.{name}={value}: task.loss={task.loss} can't take it; {refusal}")
    yield from lines
    together = loss.sum_above_zero
    if together and not lines and not any(loss_arguments(task)[name] for name in together):
        yield f"task.loss_arguments: {' and '.join(together)} are both 0, and nothing is left of the loss; raise one"


@dataclass(frozen=True, kw_only=True)
class TerratorchLoss:
    """What TerraTorch's own configuration can say of a trial's loss."""

    loss: str | list[str]
    class_weights: list[float] | None
    left_out: str = ""
    """What it can't say, in one line; empty where it says all."""


def in_terratorch(task: TaskConfig) -> TerratorchLoss:
    """The loss as TerraTorch's own configuration names it; where it has none, the nearest."""
    named = _NEAREST.get(task.loss, task.loss)
    if task.name == "multilabel" and task.loss == "focal":
        named = "bce"
    elif task.loss in ("ce", "bce"):
        return TerratorchLoss(loss=named, class_weights=task.class_weights)
    known, given = LOSSES[task.name][task.loss].arguments, loss_arguments(task)
    as_known = all(value == known[name].default for name, value in given.items()) and not task.class_weights
    if as_known and (named == task.loss or task.loss == "dice_ce"):
        return TerratorchLoss(loss=named, class_weights=None)
    shown = ", ".join(f"{name}={value}" for name, value in given.items())
    weighed = " and task.class_weights" if task.class_weights else ""
    text = " + ".join(named) if isinstance(named, list) else named
    return TerratorchLoss(
        loss=named,
        class_weights=None,
        left_out=f"It was trained with task.loss={task.loss} ({shown}){weighed}, which TerraTorch can't be told: "
        f"{text} stands for it below, and changes test/loss and further training alone.",
    )
