"""How long and with what a trial trains. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from terrasweep.results.wording import nearest

BEST, LAST = "best", "last"
_EPOCHS = re.compile(r"(?P<count>[1-9]\d*)? ?epochs?")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """So many optimizer steps or epochs."""

    count: int
    unit: Literal["steps", "epochs"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long and with what a trial trains."""

    batch_size: int = 8
    """Samples per optimizer step."""
    accumulate: int = 1
    """Parts that a step's batch is computed in, one after the other; memory falls, the mathematics stays."""
    lr: float = 2e-3
    """Learning rate; ``schedule=`` says how it changes."""
    clip_norm: float | None = None
    """Largest 2-norm of the gradients of all parameters together; null: they are not clipped."""
    backbone_lr_ratio: float = 1.0
    """Learning rate of the backbone's own weights, as a part of ``lr``; adapters, decoder and head have ``lr``."""
    layer_decay: float = 1.0
    """Each block of the backbone learns at this part of the learning rate of the block after it."""
    max_steps: int | None = 60
    """Timed optimizer steps; null where ``epochs`` says the length."""
    epochs: int | None = None
    """Passes through the training split, untimed steps included; null where ``max_steps`` says the length."""
    untimed_steps: int = 3
    """The first steps, which train but are not timed."""
    validate_every: int | str | None = None
    """Steps from one validation to the next, or ``epoch``, ``2epochs``, ...; null: only after the last step."""
    keep: str = LAST
    """Which state is the trial's: that of the ``best`` validation, or that after the ``last`` step."""
    patience: int | None = None
    """Validations in a row without a better accuracy after which a training ends; null: it never ends early."""
    seed: int = 0
    """Seed of initialisation, data order and dropout."""
    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""
    save_weights: bool = True
    """Whether what was trained is written to the trial's folder, after everything is measured."""
    count_flops: bool = True
    """Whether one more step after the evaluation counts its floating-point operations."""

    @property
    def steps(self) -> int | None:
        """Optimizer steps of the whole training, untimed ones included; None where only the data tell."""
        return None if self.max_steps is None else self.untimed_steps + self.max_steps

    @property
    def smallest_part(self) -> int:
        """Samples of the smallest part of a batch."""
        return self.batch_size // self.accumulate

    @property
    def evaluated_at_once(self) -> int:
        """Samples of a batch that is evaluated: a quarter of a step's, but no less than 8 where a step has them.

        TerraTorch's metrics of segmentation take more memory per sample than a checkpointed step does; evaluated in
        whole batches they would be the peak, and hide what knobs save.
        """
        return max(min(self.batch_size, 8), -(-self.batch_size // 4))

    @property
    def length(self) -> str:
        """How long it trains, in words."""
        return f"{self.epochs} epochs" if self.steps is None else f"{self.steps} steps"

    @property
    def whole(self) -> Interval | None:
        """The whole training, untimed steps included; None where nothing says its length."""
        if self.steps is not None:
            return Interval(count=self.steps, unit="steps")
        return None if self.epochs is None else Interval(count=self.epochs, unit="epochs")

    @property
    def heeding_validations(self) -> list[str]:
        """What validations before the end decide about, as ``key=value``.

        Not the state that is kept: where the only validation is that at the end, the best state is the last one.
        """
        return [f"train.patience={self.patience}"] if self.patience else []

    @property
    def validation_interval(self) -> Interval | None:
        """What ``validate_every`` means; None where nothing is validated before the end.

        Raises:
            ValueError: It means nothing.
        """
        every = self.validate_every
        if every is None:
            return None
        if isinstance(every, int):
            if every < 1:
                raise ValueError(f"{every} steps")
            return Interval(count=every, unit="steps")
        if (found := _EPOCHS.fullmatch(every)) is None:
            raise ValueError(f"{every!r} is no number of epochs")
        return Interval(count=int(found["count"] or 1), unit="epochs")


def find_bad_values(train: TrainConfig) -> Iterator[str]:
    """One line per value that is wrong on its own, or beside another one of training."""
    yield from _length(train)
    yield from _validation(train)
    for key in ("batch_size", "accumulate"):
        if (value := getattr(train, key)) < 1:
            yield f"train.{key}={value}: it must be at least 1"
    if train.accumulate > train.batch_size >= 1:
        yield (
            f"train.accumulate={train.accumulate} with train.batch_size={train.batch_size}: a part of the batch would "
            f"be less than one sample; use train.accumulate={train.batch_size} or less"
        )
    yield from _learning_rates(train)
    if train.device not in ("auto", "cpu", "cuda"):
        yield f"train.device={train.device!r}: unknown device; use auto, cpu or cuda"


def _length(train: TrainConfig) -> Iterator[str]:
    for key in ("max_steps", "epochs"):
        if (value := getattr(train, key)) is not None and value < 1:
            yield f"train.{key}={value}: it must be at least 1"
    if train.max_steps is None and train.epochs is None:
        yield "train.max_steps=null: nothing says how long to train; set train.max_steps or train.epochs"
    if train.max_steps is not None and train.epochs is not None:
        yield (
            f"train.epochs={train.epochs} with train.max_steps={train.max_steps}: one of them says the length; "
            "set train.max_steps=null, or drop train.epochs"
        )
    if train.untimed_steps < 0:
        yield f"train.untimed_steps={train.untimed_steps}: it can't be negative; use 0 or more"


def _validation(train: TrainConfig) -> Iterator[str]:
    try:
        interval = train.validation_interval
    except ValueError as error:
        yield (
            f"train.validate_every={train.validate_every}: {error}; use a number of steps from 1 on, epoch, 2epochs "
            "and so on, or null"
        )
        return
    if train.keep not in (BEST, LAST):
        yield f"train.keep={train.keep}: unknown; {nearest(train.keep, (BEST, LAST))}"
    if train.patience is not None and train.patience < 1:
        yield f"train.patience={train.patience}: it must be at least 1; null never ends a training early"
    if interval is None:
        keep = ["train.keep=best"] if train.keep == BEST else []
        for setting in keep + train.heeding_validations:
            yield f"{setting}: nothing is validated before the end; set train.validate_every, for example epoch"
    yield from find_late_validation(train, train.heeding_validations)


def find_late_validation(
    train: TrainConfig, heeding: Collection[str], batches_per_epoch: int | None = None
) -> Iterator[str]:
    """One line per setting that would do nothing, since the training is over with its first validation, or before.

    Args:
        train: How long it trains, and how often it validates.
        heeding: The settings that validations before the end decide about, as ``key=value``.
        batches_per_epoch: Of the training split. None: nobody has looked, and steps are not compared with epochs.
    """
    try:
        interval, whole = train.validation_interval, train.whole
    except ValueError:
        return  # It has a line of its own.
    if interval is None or whole is None or _is_shorter(interval, whole, batches_per_epoch):
        return
    for setting in heeding:
        yield (
            f"{setting} with train.validate_every={train.validate_every}: the training is over after {train.length}, "
            "and nothing is validated before; validate more often, or train for longer"
        )


def _is_shorter(one: Interval, other: Interval, batches_per_epoch: int | None) -> bool:
    """Whether it is, or may be where steps are not compared with epochs."""
    if one.unit != other.unit:
        if batches_per_epoch is None:
            return True
        one, other = _in_steps(one, batches_per_epoch), _in_steps(other, batches_per_epoch)
    return one.count < other.count


def _in_steps(length: Interval, batches_per_epoch: int) -> Interval:
    return Interval(count=length.count * (batches_per_epoch if length.unit == "epochs" else 1), unit="steps")


def _learning_rates(train: TrainConfig) -> Iterator[str]:
    if not train.lr > 0:
        yield f"train.lr={train.lr}: it must be above 0"
    if train.clip_norm is not None and not train.clip_norm > 0:
        yield f"train.clip_norm={train.clip_norm}: it must be above 0; null clips nothing"
    for key in ("backbone_lr_ratio", "layer_decay"):
        if not 0 < (value := getattr(train, key)) <= 1:
            yield (
                f"train.{key}={value}: a part of a learning rate must be above 0 and at most 1; tuning=frozen keeps "
                "the backbone as it is"
            )
