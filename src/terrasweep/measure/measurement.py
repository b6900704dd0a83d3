"""What a measurement is: its name, its unit, what it is called and what it means, written once, beside its meter."""

from __future__ import annotations

from dataclasses import dataclass

UNITLESS = ("1", "count", "text")
"""Units that are not written behind a number."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number that a trial gives."""

    name: str
    """In ``trials.csv``, ``result.json``, MLflow and as an objective. It ends in its unit: ``peak_memory_mib``."""
    label: str
    """In words, without the unit: ``peak memory``."""
    unit: str
    """As it is written behind a number (``MiB``), or one of UNITLESS: a ratio, a number of things, words."""
    definition: str
    """What is measured, from when to when, in sentences. 1 MiB is 2**20 bytes."""
    number: type[float] | type[int] | None = float
    """Whether it is counted (``int``) or measured (``float``); None for a text, which nothing can optimize."""
    of_build: bool = False
    """Whether it tells of the build; all others tell of what comes after it."""
    within_budget: bool = False
    """Whether it is held against ``budget.memory_gib``."""
    of_quality: bool = False
    """Whether it tells of what was learnt: it is the same for all trials with one quality key."""
    of_whole_training: bool = False
    """Whether it tells of a training from its beginning to its end, of which a probe sees the first steps alone."""
    after_search: bool = False
    """Whether it is measured once the search is over, so that it can be no objective."""
    predicts: str = ""
    """The measurement that it tells of before the trial runs, so that it can be no objective either; empty: none."""

    @property
    def unit_symbol(self) -> str:
        """What stands behind a number: the unit, empty where there is none to write."""
        return "" if self.unit in UNITLESS else self.unit

    @property
    def label_with_unit(self) -> str:
        """For an axis or a column: ``peak memory (MiB)``."""
        return f"{self.label} ({self.unit_symbol})" if self.unit_symbol else self.label
