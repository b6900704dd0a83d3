"""What a knob declares of itself, in one place. Imports no torch: its transformations are named, not imported."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from terrasweep.config.exclusions import Exclusion

QUALITY, MEMORY, SPEED = "quality", "memory", "speed"
"""What a key can bear on: the mathematics and with it the accuracy; shapes and kernels, and with them the cost."""
COST = frozenset({MEMORY, SPEED})
EVERYTHING = frozenset({QUALITY, MEMORY, SPEED})


class Stage(enum.IntEnum):
    """When a transformation runs while a model is built, in this order (docs/development.md says why)."""

    SPLIT = 1
    """Fused layers are taken apart: from here on the names of layers are final."""
    QUANTIZE = 2
    """Weights are packed; they are loaded, and in full precision, until then."""
    ADAPT = 3
    """What learns is decided: freezing, adapters."""
    STORE = 4
    """What is frozen by now, and not packed, is stored in fewer bits."""
    CHECKPOINT = 5
    """Blocks are wrapped, for the backward pass."""
    OFFLOAD = 6
    """The whole model is finished, and its forward pass may be wrapped."""


def _no_lines(settings: Any) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A group of the search: its settings, what is refused, what it does to a model, and what it bears on."""

    group: str
    """Name of the group, on the command line and in every configuration."""
    settings: type[Any]
    """A frozen dataclass whose field ``name`` says which option was chosen."""
    bears_on: Mapping[str, frozenset[str] | set[str]]
    """Each field of the settings to the numbers it bears on: ``quality`` (the accuracy), ``memory``, ``speed``."""
    why: Mapping[str, str] = field(default_factory=dict)
    """For fields that don't bear on everything, why not, in a few words."""
    rounding: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """For fields that don't bear on the accuracy but for the rounding of other sums: what of their value does that."""
    find_bad_values: Callable[[Any], Iterable[str]] = _no_lines
    """One line per value of the settings that is wrong whatever the other knobs are: key=value, reason, way out."""
    find_absent_files: Callable[[Any], Iterable[str]] = _no_lines
    """One line per file or folder that the settings name and this machine doesn't have."""
    exclusions: tuple[Exclusion, ...] = ()
    """What it can't be had together with."""
    transforms: Mapping[Stage, str] = field(default_factory=dict)
    """``module:function`` per stage, imported in the trial's process alone. The function takes the settings and an
    :class:`~terrasweep.models.transforms.unfinished_model.UnfinishedModel`, and returns the names of the modules that
    it touched, by what became of them."""
    off: str | None = None
    """The option that asks for nothing: no transformation runs."""
    names_no_module: tuple[str, ...] = ()
    """Further options of which no module's name is expected; of the others, one that touched nothing is an error."""
    options: tuple[Any, ...] = ()
    """The options' settings, the default first: of a knob from outside, whose options are no files in ``conf/``."""

    def option(self, name: str) -> Any:
        """The settings of an option; of terrasweep's own knobs, whose options are files, with their defaults."""
        return next((chosen for chosen in self.options if chosen.name == name), None) or self.settings(name=name)

    @property
    def bears_on_quality(self) -> bool:
        """Whether any of its keys changes the mathematics."""
        return any(QUALITY in numbers for numbers in self.bears_on.values())


def undeclared(knob: Knob) -> set[str]:
    """Fields of the settings that ``bears_on`` lacks, and names in it that are no field."""
    return {field.name for field in dataclasses.fields(knob.settings)} ^ set(knob.bears_on)
