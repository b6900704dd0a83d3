"""Which key of a configuration bears on which of a trial's numbers, and why where it doesn't bear on all.

Knobs declare it in their own files; the other sections here. A key that is not declared bears on everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from terrasweep.config.knobs import KNOBS
from terrasweep.config.knobs.knob import COST, EVERYTHING, MEMORY, QUALITY, SPEED, Knob
from terrasweep.config.outside_knobs import outside_knobs
from terrasweep.config.schema import TrialConfig

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Bearing:
    """What one key bears on."""

    numbers: frozenset[str] = EVERYTHING
    """Of ``quality``, ``memory`` and ``speed``."""
    why: str = ""
    """Why not on all of them."""
    rounding: Callable[[Any], Any] | None = None
    """Where the accuracy depends on it by the rounding of other sums alone: what of its value does that."""
    cost: Callable[[Any], Any] | None = None
    """Where memory and speed don't depend on all of its value: what of it they depend on."""


def _is_given(value: Any) -> bool:
    return value is not None


def _is_part(value: Any) -> bool:
    return bool(value != 1)


_NOT_MEASURED = "it is no part of what is measured"
_STEADY = "a step is the same, however many there are"
_RATES = "a factor of the update, whatever its value"

SECTIONS: dict[str, Bearing] = {
    "trial": Bearing(numbers=NOTHING, why="which trial it is"),
    "study": Bearing(numbers=NOTHING, why=_NOT_MEASURED),
    "tracking": Bearing(numbers=NOTHING, why=_NOT_MEASURED),
    "repeats": Bearing(numbers=NOTHING, why=_NOT_MEASURED),
    "reuse": Bearing(numbers=NOTHING, why="what is done with numbers that are known"),
    "confirm": Bearing(numbers=NOTHING, why=_NOT_MEASURED),
    "probe": Bearing(numbers=NOTHING, why="how long it is measured, of a step that stays the same"),
    "schedule": Bearing(numbers=frozenset({QUALITY}), why=_RATES),
}
"""Sections whose keys are alike."""
KEYS: dict[str, Bearing] = {
    "budget.timeout_s": Bearing(numbers=NOTHING, why="it ends a trial, or changes nothing"),
    "budget.host_memory_gib": Bearing(numbers=NOTHING, why="it ends a trial, or changes nothing"),
    "budget.memory_gib": Bearing(
        numbers=COST, why="near its limit the allocator gives memory back and takes it again; the numbers are the same"
    ),
    "budget.gate": Bearing(numbers=NOTHING, why="whether a trial that can't fit is started"),
    "budget.gate_verify": Bearing(numbers=NOTHING, why="whether a trial that can't fit is started"),
    "data.workers": Bearing(numbers=COST, why="the same samples, read beside; own datamodules may draw in them"),
    "data.in_memory": Bearing(numbers=COST, why="the same samples, kept"),
    "data.check_tiles": Bearing(numbers=NOTHING, why="what follows from it stands in data.means and data.stds"),
    "data.class_names": Bearing(numbers=NOTHING, why="how classes are called"),
    "task.accuracy": Bearing(numbers=frozenset({QUALITY}), why="which metric it is"),
    "task.accuracy_name": Bearing(numbers=frozenset({QUALITY}), why="which metric it is"),
    "task.loss_arguments": Bearing(numbers=frozenset({QUALITY}), why="factors of the same loss"),
    "task.class_weights": Bearing(why="for the cost it matters whether there are any", cost=_is_given),
    "train.accumulate": Bearing(
        numbers=COST, why="the same sum of gradients in parts, where no layer has statistics of a batch"
    ),
    "train.lr": Bearing(numbers=frozenset({QUALITY}), why=_RATES),
    "train.clip_norm": Bearing(why="for the cost it matters whether there is one", cost=_is_given),
    "train.backbone_lr_ratio": Bearing(why="for the cost it matters whether there is one", cost=_is_part),
    "train.layer_decay": Bearing(why="for the cost it matters whether there is one", cost=_is_part),
    "train.max_steps": Bearing(numbers=frozenset({QUALITY}), why=_STEADY),
    "train.epochs": Bearing(numbers=frozenset({QUALITY}), why=_STEADY),
    "train.untimed_steps": Bearing(
        numbers=COST, why="steps are trained alike, timed or not; with train.max_steps their sum counts"
    ),
    "train.validate_every": Bearing(
        numbers=frozenset({QUALITY, MEMORY}), why="validations are not timed; one may meet training's memory"
    ),
    "train.keep": Bearing(numbers=frozenset({QUALITY, MEMORY}), why="the best state is kept in host memory"),
    "train.patience": Bearing(numbers=frozenset({QUALITY}), why=_STEADY),
    "train.seed": Bearing(numbers=frozenset({QUALITY}), why="other numbers in the same shapes"),
    "train.device": Bearing(numbers=NOTHING, why="the device itself counts for the cost, by its name"),
    "train.save_weights": Bearing(numbers=NOTHING, why="after everything is measured"),
    "train.count_flops": Bearing(numbers=NOTHING, why="after everything is measured"),
}
"""Keys that don't bear on everything, knobs' apart."""


def bearing(key: str, knobs: Mapping[str, Knob]) -> Bearing:
    """What a key bears on.

    Args:
        key: Section and field, as ``train.lr``.
        knobs: By their groups.
    """
    section, _, name = key.partition(".")
    if section in knobs:
        knob = knobs[section]
        numbers = frozenset(knob.bears_on.get(name, EVERYTHING))
        return Bearing(numbers=numbers, why=knob.why.get(name, ""), rounding=knob.rounding.get(name))
    return KEYS.get(key) or SECTIONS.get(section) or Bearing()


def bearings(config: TrialConfig) -> Iterator[tuple[str, Any, Bearing]]:
    """Each key of a configuration with its value and what it bears on, in the order of the schema."""
    knobs = {knob.group: knob for knob in (*KNOBS, *outside_knobs())}
    for section, settings in _sections(config):
        for field in dataclasses.fields(settings):
            key = f"{section}.{field.name}"
            yield key, getattr(settings, field.name), bearing(key, knobs)


def _sections(config: TrialConfig) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(config):
        if field.name != "outside":
            yield field.name, getattr(config, field.name)
    yield from config.outside.items()


def bearings_table() -> str:
    """What does not bear on everything, as a Markdown table: key, what it bears on, why."""
    knobs = {knob.group: knob for knob in KNOBS}
    rows = ["| key | accuracy | memory | speed | why |", "| --- | --- | --- | --- | --- |"]
    for section, settings in _sections(TrialConfig()):
        if section in SECTIONS:
            rows.append(_row(f"{section}.*", SECTIONS[section]))
            continue
        for field in dataclasses.fields(settings):
            found = bearing(key := f"{section}.{field.name}", knobs)
            if found.why:
                rows.append(_row(key, found))
    return "\n".join([*rows, "| any other | yes | yes | yes | |"])


def _row(key: str, found: Bearing) -> str:
    quality = "yes" if QUALITY in found.numbers else "by rounding" if found.rounding else "no"
    memory, speed = ("yes" if number in found.numbers else "no" for number in (MEMORY, SPEED))
    return f"| `{key}` | {quality} | {memory} | {speed} | {found.why} |"
