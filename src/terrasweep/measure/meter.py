"""The seam between train and measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from terrasweep.measure.measurement import Measurement

if TYPE_CHECKING:
    import torch

Reading = dict[str, float | None]


class Phase(StrEnum):
    """A part of a trial that meters measure."""

    BUILD = "build"
    TRAINING = "training"
    EVALUATION = "evaluation"
    TRAINING_AND_EVALUATION = "training and evaluation"
    """Both as one, around the meters of each."""


@dataclass(frozen=True, kw_only=True)
class MeteredTrial:
    """What a meter has to know of the trial that it measures."""

    device: torch.device
    baseline_mib: float
    """The process's resident set before the build."""
    untimed_steps: int
    """Steps that are trained and not timed."""


class Meter(Protocol):
    """Measures between entering and leaving; steps are counted from 0, untimed ones included."""

    measurements: ClassVar[tuple[Measurement, ...]]
    """What its readings can hold."""

    @classmethod
    def for_phase(cls, phase: Phase, trial: MeteredTrial) -> Meter | None:
        """The meter of a phase of a trial; None where it has nothing to measure."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def on_step_begin(self, step: int) -> None:
        """The batch is there; the step's work starts."""

    def on_step_end(self, step: int, samples: int) -> None:
        """The optimizer has stepped, and the device is synchronised."""

    def on_pause_begin(self) -> None:
        """Between two steps comes something that has meters of its own: what was seen so far has to be kept."""

    def on_pause_end(self) -> None:
        """Between two steps came something that is neither: a validation."""

    def reading(self) -> Reading:
        """Values by the names of :attr:`measurements`."""


class PassiveMeter:
    """A meter that steps mean nothing to."""

    measurements: ClassVar[tuple[Measurement, ...]] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def on_step_begin(self, step: int) -> None:
        """Not needed."""

    def on_step_end(self, step: int, samples: int) -> None:
        """Not needed."""

    def on_pause_begin(self) -> None:
        """Not needed."""

    def on_pause_end(self) -> None:
        """Not needed."""


@contextmanager
def metered(meters: Iterable[Meter]) -> Iterator[None]:
    """Enter all meters; each is left again, whatever happens in between."""
    with ExitStack() as stack:
        for meter in meters:
            stack.enter_context(meter)
        yield


def readings(meters: Iterable[Meter]) -> Reading:
    """All readings, in one dictionary; of what two phases measured, the larger one."""
    merged: Reading = {}
    for meter in meters:
        for name, value in meter.reading().items():
            known = merged.get(name)
            merged[name] = value if known is None else known if value is None else max(known, value)
    return merged
