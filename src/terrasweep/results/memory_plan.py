"""What fits which card by predicted peaks: verdicts, the largest batch, and the parts that keep a batch as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from math import floor
from typing import Any

_MIB_PER_GIB = 1024
BATCH, PARTS = "train.batch_size", "train.accumulate"


class Fit(StrEnum):
    """Whether a configuration fits a limit."""

    YES = "yes"
    PROBABLY = "yes?"
    """By what is expected; the interval reaches over the limit."""
    HARDLY = "no?"
    """By what is expected it does not; the interval reaches below the limit."""
    NO = "no"

    @property
    def fits(self) -> bool:
        """What is expected."""
        return self in (Fit.YES, Fit.PROBABLY)


@dataclass(frozen=True, kw_only=True)
class PlannedPeak:
    """A predicted peak in MiB, as it is and as the calibration has it."""

    predicted: float
    expected: float
    low: float
    high: float
    gradients: float = 0.0
    """Of it, at most; what a batch in parts holds in addition while its later parts are computed."""

    def fit(self, limit_gib: float) -> Fit:
        """The verdict for a limit."""
        limit = limit_gib * _MIB_PER_GIB
        if self.expected <= limit:
            return Fit.YES if self.high <= limit else Fit.PROBABLY
        return Fit.NO if self.low > limit else Fit.HARDLY


@dataclass(frozen=True, kw_only=True)
class PlannedConfiguration:
    """One configuration."""

    searched: Mapping[str, Any]
    """The searched keys and their values."""
    batch_size: int
    parts: int
    """``train.accumulate``."""
    peak: PlannedPeak | None
    note: str = ""
    """Why there is no peak, or how it came about."""

    @property
    def group(self) -> tuple[tuple[str, Any], ...]:
        """What it has in common with those that differ in the batch alone."""
        return tuple((key, _plain(value)) for key, value in self.searched.items() if key != BATCH)


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """Configurations and limits."""

    name: str
    limits: Mapping[str, float]
    """GiB by what a card or a limit is called."""
    rows: list[PlannedConfiguration]
    notes: list[str] = field(default_factory=list)
    """Sentences on what was done."""

    @property
    def keys(self) -> list[str]:
        """The searched keys of all rows, the batch last."""
        keys = dict.fromkeys(key for row in self.rows for key in row.searched)
        return [*(key for key in keys if key != BATCH), *([BATCH] if BATCH in keys else [])]

    @cached_property
    def groups(self) -> dict[tuple[tuple[str, Any], ...], list[PlannedConfiguration]]:
        """Rows that differ in the batch alone, by the other values, smaller batches first."""
        groups: dict[tuple[tuple[str, Any], ...], list[PlannedConfiguration]] = {}
        for row in sorted(self.rows, key=lambda row: row.batch_size):
            groups.setdefault(row.group, []).append(row)
        return groups

    def largest_batch(self, row: PlannedConfiguration, limit: str) -> int | None:
        """The largest batch that is expected to fit, whatever else stays; 0: none does; None: it can't be said."""
        return largest_batch(self._expected(row), self.limits[limit] * _MIB_PER_GIB, row.parts)

    def parts_that_fit(self, row: PlannedConfiguration, limit: str) -> int | None:
        """The fewest parts in which the row's batch is expected to fit; None where there are none, or can't be said."""
        if row.peak is None:
            return None
        room = self.limits[limit] * _MIB_PER_GIB
        if row.peak.expected <= room:
            return row.parts
        # Of a batch in one part, later parts find the gradients of the first one there.
        held = row.peak.gradients if row.parts == 1 else 0.0
        whole = largest_batch(self._expected(row), room - held, row.parts)
        part = (whole or 0) // row.parts
        return -(-row.batch_size // part) if part else None

    def _expected(self, row: PlannedConfiguration) -> dict[int, float]:
        return {r.batch_size: r.peak.expected for r in self.groups[row.group] if r.peak is not None}


def largest_batch(peaks: Mapping[int, float], room: float, parts: int = 1) -> int | None:
    """The largest batch whose peak is within a room, by lines through neighbouring batches and on beyond the last.

    Args:
        peaks: MiB by batch, which don't fall from one to the next.
        room: MiB.
        parts: It is a multiple of this.

    Returns:
        0 where none fits; None where fewer than two batches are known, or the peak does not grow with them.
    """
    known = sorted(peaks.items())
    if len(known) < 2:
        return None
    fitting = [place for place, (_, peak) in enumerate(known) if peak <= room]
    place = min(max(fitting, default=0), len(known) - 2)
    (few, low), (many, high) = known[place], known[place + 1]
    if high <= low:
        return None
    return max(0, floor(few + (room - low) * (many - few) / (high - low)) // parts * parts)


def _plain(value: Any) -> Any:
    """Something that can be a key."""
    return repr(value) if isinstance(value, list | dict) else value
