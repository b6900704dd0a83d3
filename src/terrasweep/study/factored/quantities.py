"""What the search models: objectives and limited measurements, what bears on each, and what is predicted of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

TRAINING_SECONDS, PROBE_SECONDS = "training_seconds", "probe_seconds"
"""What a whole training takes, and a measurement of memory and speed alone; can be predicted like any measurement."""
MEASURED = "measured"
"""Attribute of a trial: name to number of what it measured beside its objectives, of these seconds one at most."""

CHOSEN = "chosen"
"""Attribute of a trial: the settings that it was given, which other processes read before it has asked for them."""

Settings = Mapping[str, Any]
"""Names to values, as Optuna stores them."""


class BearsOn(Enum):
    """Which of a candidate's settings a quantity depends on."""

    QUALITY = "quality"
    COST = "cost"
    BOTH = "both"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number that a candidate has."""

    name: str
    of: BearsOn
    maximize: bool = True
    """Of an objective, whether more is better."""
    most: float | None = None
    """A candidate with more than this is infeasible."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is known of a number before it is measured."""

    value: float
    relative_error: float
    """One standard deviation, as a share of the value."""


Predict = Callable[[Settings], Mapping[str, Prediction] | None]
"""What a candidate's measurements will be, as far as it can be said."""
