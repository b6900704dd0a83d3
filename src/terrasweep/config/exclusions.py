"""Knobs that exclude each other: what such a rule is, how it reads, and as a table for docs/knobs.md.

The rules themselves stand with their knobs, in :mod:`terrasweep.config.knobs`. Imports no torch.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrasweep.machine.hardware import effective_device

if TYPE_CHECKING:  # The schema holds the knobs' settings, and the knobs hold exclusions.
    from terrasweep.config.schema import TrialConfig


class Presence(enum.Enum):
    """A condition on whether a key is set, whatever its value."""

    SET = "set"
    UNSET = "not set"


@dataclass(frozen=True)
class AllBut:
    """Every value but these."""

    excepted: tuple[Any, ...]


Values = tuple[Any, ...] | Presence | AllBut


@dataclass(frozen=True)
class Exclusion:
    """Two knobs that can't be had together, always or while a third one is as said."""

    key: str
    values: Values
    other_key: str
    other_values: Values
    reason: str
    way_out: str
    third: tuple[str, Values] | None = None

    @property
    def knobs(self) -> list[tuple[str, Values]]:
        """The keys and their values that don't go together."""
        return [(self.key, self.values), (self.other_key, self.other_values), *([self.third] if self.third else [])]

    def violated(self, config: TrialConfig) -> bool:
        """Whether a configuration has all of them."""
        return all(_among(_look_up(config, key), values) for key, values in self.knobs)

    def line(self, config: TrialConfig) -> str:
        """The violation as a person reads it."""
        knobs = (f"{_shown(key)}={_text(_look_up(config, key))}" for key, _ in self.knobs)
        return f"{' with '.join(knobs)}: {self.reason}; {self.way_out}"


SET, UNSET = Presence.SET, Presence.UNSET


def exclusions_table(exclusions: Iterable[Exclusion]) -> str:
    """The exclusions as a Markdown table."""
    rows = (
        f"| {_knob(*e.knobs[0])} | {', with '.join(_knob(*knob) for knob in e.knobs[1:])} | {e.reason} | {e.way_out} |"
        for e in exclusions
    )
    return "\n".join(("| knob | excludes | because | way out |", "| --- | --- | --- | --- |", *rows))


def _look_up(config: TrialConfig, key: str) -> Any:
    if key == "device":
        return effective_device(config.train.device)
    section, _, field = key.partition(".")
    return getattr(config.settings(section), field)


def _among(value: Any, values: Values) -> bool:
    if isinstance(values, Presence):
        return (value is None or value == []) == (values is Presence.UNSET)
    if isinstance(values, AllBut):
        return value not in values.excepted
    return value in values


def _knob(key: str, values: Values) -> str:
    return f"`{_shown(key)}` {_condition(values)}"


def _shown(key: str) -> str:
    return "train.device" if key == "device" else key.removesuffix(".name")


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _condition(values: Values) -> str:
    if isinstance(values, Presence):
        return values.value
    if isinstance(values, AllBut):
        return f"all but {_condition(values.excepted)}"
    return ", ".join(f"`{_text(value)}`" for value in values)
