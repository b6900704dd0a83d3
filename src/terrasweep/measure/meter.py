"""The seam between train and measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Protocol, Self

Reading = dict[str, float | None]


class Meter(Protocol):
    """Measures between entering and leaving; steps are counted from 0, warm-up included."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def on_step_begin(self, step: int) -> None:
        """The batch is there; the step's work starts."""

    def on_step_end(self, step: int, samples: int) -> None:
        """The optimizer has stepped, and the device is synchronised."""

    def reading(self) -> Reading:
        """Measurements by name; the names are those of :class:`terrasweep.results.measurements.Measurements`."""


class PassiveMeter:
    """A meter that steps mean nothing to."""

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
