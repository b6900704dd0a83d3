"""What leaves a trial: its state, its reason and its measurements.

Sampler, tracking, Pareto front and report read only :class:`TrialResult`. It goes to JSON and back unchanged.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import Any

from terrasweep.results.confusion import Confusion
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State

SCHEMA_VERSION = 1
"""Raised whenever a field of TrialResult changes its meaning or its name."""


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """The whole outcome of one trial."""

    number: int | None
    """Optuna's trial number; None for a single trial outside a study."""
    state: State
    reason: Reason | None = None
    message: str = ""
    """One line for a person: what went wrong, and where known the way out."""
    violation: float | None = None
    """For an infeasible trial, the miss relative to the limit; None if it isn't known."""
    measurements: Measurements = field(default_factory=dict)
    """A stored result names every measurement of its version; what is absent is None."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The task's other validation metrics, for example per-class IoU."""
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """Learning curves: name to (step, value) pairs."""
    confusion: Confusion | None = None
    """Which classes were taken for which in the last validation; None for regression, for a trial that was not
    evaluated, and in results from before it was kept."""
    touched: dict[str, list[str]] = field(default_factory=dict)
    """Names of the modules that were split, quantized, adapted and checkpointed, and what was offloaded."""
    sensitivity: dict[str, float] = field(default_factory=dict)
    """For ``quantization.skip=auto``: per linear layer the relative error of the model's output when this layer alone
    is quantized, the largest first. The first ``quantization.skip_count`` stayed in full precision."""
    plan: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """DeepSpeed's estimates of the model states for every offload: ``zero3_offload_parameters_gpu_mib`` and the like to
    pairs of GPUs and MiB."""
    searched: dict[str, Any] = field(default_factory=dict)
    """The searched keys and the values this trial had."""
    proposed: dict[str, Any] = field(default_factory=dict)
    """Why the search proposed it (docs/search.md): ``as`` a training, a probe, or to fill the space; the ``promise`` of
    hypervolume and the ``seconds`` for it; ``expected`` objectives, each with its lower and upper value. Empty where
    its values were given, or the sampler does not say."""
    config: dict[str, Any] = field(default_factory=dict)
    """The resolved configuration."""
    device: str = ""
    quality_key: str = ""
    """Hash of all that its accuracy and metrics depend on; trials with the same key have the same ones."""
    cost_key: str = ""
    """Hash of all that its memory, speed and energy depend on, the device included."""
    accuracy_from: str = ""
    """The trial whose accuracy and metrics these are, by its number, or ``STUDY/NUMBER``; empty: its own."""
    cost_from: str = ""
    """The trial whose memory and speed these are; empty: its own."""
    verifies: str = ""
    """The trial whose accuracy was known and is trained again here, to be compared; empty: none."""
    gate: str = ""
    """What became of it by its predicted peak, a value of :mod:`terrasweep.results.gate`; empty: it was not judged."""
    probes: list[Measurements] = field(default_factory=list)
    """Later measurements of the same memory and speed, in the order they were made, each by its measurements' names.
    ``measurements`` stays the trial's own."""
    arithmetic: dict[str, str] = field(default_factory=dict)
    """How exact products and convolutions of 32-bit numbers were, as torch said in the trial's process."""
    versions: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    """Git commit of the project, with ``-dirty`` where files were changed; empty outside a repository."""
    started: str = ""
    """ISO 8601 time, UTC."""
    schema_version: int = SCHEMA_VERSION

    def value(self, name: str) -> float | None:
        """A measurement or metric by name, None where it is absent."""
        value = self.measurements.get(name)
        if value is None:
            value = self.metrics.get(name)
        return float(value) if isinstance(value, int | float) else None

    @property
    def accuracy_name(self) -> str | None:
        """The metric behind ``accuracy``, for example mIoU."""
        name = self.measurements.get("accuracy_name")
        return name if isinstance(name, str) else None

    def objective_values(self, names: list[str]) -> list[float] | None:
        """The objectives' values of a complete trial, None for any other."""
        values = [self.value(name) for name in names]
        if self.state is not State.COMPLETE or any(value is None for value in values):
            return None
        return [value for value in values if value is not None]

    def to_json(self) -> str:
        """The result as strict JSON (a value that is not finite is refused), a row of whole numbers to a line."""
        return _rows_on_lines(json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False))

    @classmethod
    def from_json(cls, text: str) -> TrialResult:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: The text is no result, or one of a newer schema version.
        """
        try:
            return cls._from_fields(json.loads(text))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it holds no trial's result ({type(error).__name__}: {error})") from error

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> TrialResult:
        if fields["schema_version"] > SCHEMA_VERSION:
            raise ValueError(f"result has schema version {fields['schema_version']}, newer than {SCHEMA_VERSION}")
        fields["state"] = State(fields["state"])
        fields["reason"] = fields["reason"] and Reason(fields["reason"])
        if fields.get("confusion") is not None:
            fields["confusion"] = Confusion(**fields["confusion"])
        for curves in ("curves", "plan"):
            fields[curves] = {
                name: [(step, value) for step, value in curve] for name, curve in fields.get(curves, {}).items()
            }
        return cls(**fields)


_WHOLE_NUMBERS = re.compile(r"\[\n\s+(-?\d+(?:,\n\s+-?\d+)*)\n\s+\]")
"""A list of whole numbers as an indented JSON has it. Inside its strings a line never ends."""


def _rows_on_lines(text: str) -> str:
    """JSON whose lists of whole numbers take one line each, so that a table of them can be read."""
    return _WHOLE_NUMBERS.sub(lambda numbers: f"[{' '.join(numbers[1].split())}]", text)
