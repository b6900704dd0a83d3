"""What is fixed at a study's start."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from terrasweep.results.trial_result import SCHEMA_VERSION


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A measurement or metric to optimize."""

    name: str
    direction: str
    """``maximize`` or ``minimize``."""

    @property
    def maximize(self) -> bool:
        """Whether more is better."""
        return self.direction == "maximize"


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """What is fixed at a study's start; stored beside its trials as ``study.json``."""

    name: str
    n_trials: int
    objectives: list[Objective]
    space: dict[str, str]
    """Searched keys and the text of their ranges, conditions included."""
    overrides: list[str]
    """Overrides from the command line that hold for every trial."""
    sampler: str
    seed: int
    storage: str
    """Optuna storage URL without its password; ``optuna.db`` for the file beside this one."""
    tracking_uri: str
    """Without its password."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What was fixed when the study started: dotted key to value, the searched keys included with their defaults."""
    environment: dict[str, str]
    """Machine, device and versions of the process that started the study."""
    started: str
    """ISO 8601 time, UTC."""
    reference: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Per objective the worst value that counts for the hypervolume and the scale it is divided by."""
    data: dict[str, Any] = field(default_factory=dict)
    """The data set as :func:`terrasweep.data.inspect.checks.describe` gives it; empty where it was not looked at."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Default baseline to why it does not go with the study, and was not measured."""
    ended_early: str = ""
    """Why the search ended before it had its trials, in a line; empty where it has them, or goes on."""
    learnt: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Other study to what was learnt of its trials when it was first named: their settings here, their numbers that
    hold here, too, and their trends."""
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """The record as strict JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> StudyRecord:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: The text is no record.
        """
        try:
            return cls._from_fields(json.loads(text))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it holds no study's record ({type(error).__name__}: {error})") from error

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> StudyRecord:
        fields["objectives"] = [Objective(**objective) for objective in fields["objectives"]]
        fields["reference"] = {name: (worst, scale) for name, (worst, scale) in fields["reference"].items()}
        return cls(**fields)
