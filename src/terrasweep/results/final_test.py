"""What the test split says of a trial once the search is over: asked once, and kept beside the trial's result."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

SCHEMA_VERSION = 1
"""Raised whenever a field of FinalTest changes its meaning or its name."""


@dataclass(frozen=True, kw_only=True)
class FinalTest:
    """The evaluation of a trial's kept weights on the test split."""

    accuracy: float
    """By the metric that is the trial's accuracy."""
    accuracy_name: str
    metrics: dict[str, float] = field(default_factory=dict)
    """The other metrics of the test split, by names that begin with ``test_``."""
    samples: int
    """Of the test split."""
    data_state: str | None = None
    """State of the data's files, equal to that of the trial; None for synthetic tiles, which never change."""
    precision: str
    """Of the evaluation: the trial's, but for fp16 on a CPU."""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    measured: str = ""
    """ISO 8601 time, UTC."""
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """As strict JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> FinalTest:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: The text is no such record, or one of a newer schema version.
        """
        try:
            fields = json.loads(text)
            if fields["schema_version"] > SCHEMA_VERSION:
                raise ValueError(f"it has schema version {fields['schema_version']}, newer than {SCHEMA_VERSION}")
            return cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it holds no test of a trial ({type(error).__name__}: {error})") from error
