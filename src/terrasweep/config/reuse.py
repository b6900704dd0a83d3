"""What becomes of numbers that are known already, and how long cost is measured. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from terrasweep.results.wording import nearest

ON, OFF = "on", "off"


@dataclass(frozen=True, kw_only=True)
class ReuseConfig:
    """What becomes of numbers that are known already, under the same keys (docs/reuse.md)."""

    name: str = ON
    """``on``: they are not measured again; ``off``."""
    verify: float = 0.0
    """Share of the trials whose accuracy is known that are trained all the same, to be compared; 0 to 1."""
    studies: list[str] = field(default_factory=list)
    """Other studies whose numbers count as known."""
    to_rounding: bool = False
    """Whether an accuracy counts as known, too, where the same sums were taken in another order (DeepSpeed)."""


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """The measurement of memory and speed: at the beginning of a training, and by itself where accuracy is known."""

    steps: int = 5
    """Timed steps; at least 1."""
    evaluation_batches: int = 2
    """Batches whose evaluation is seen; at least 1."""
    alone: bool = False
    """Whether memory and speed are all that is measured; set by the confirmation round."""


@dataclass(frozen=True, kw_only=True)
class ConfirmConfig:
    """The confirmation round after the search: memory and speed of the front, measured again (docs/reuse.md)."""

    rounds: int = 2
    """How often each trial on the front, or within the errors of it, is probed again; 0: never."""
    disturbed_again: int = 2
    """How many of its probes are made up for where something disturbed them."""


def _asked_of(reuse: ReuseConfig) -> Iterator[tuple[str, str]]:
    """What of the settings wants accuracies or costs to be known."""
    if reuse.verify:
        yield "verify", f"{reuse.verify:g}"
    if reuse.studies:
        yield "studies", f"[{','.join(reuse.studies)}]"
    if reuse.to_rounding:
        yield "to_rounding", "true"


def find_bad_values(reuse: ReuseConfig, probe: ProbeConfig, confirm: ConfirmConfig) -> Iterator[str]:
    """One line per value that is wrong."""
    if reuse.name not in (ON, OFF):
        yield f"reuse.name={reuse.name}: unknown; {nearest(reuse.name, (ON, OFF))}"
    if reuse.name == OFF and (asked := [f"reuse.{key}={shown}" for key, shown in _asked_of(reuse)]):
        yield f"reuse=off with {', '.join(asked)}: nothing is taken from another trial; use reuse=on, or drop it"
    if not 0 <= reuse.verify <= 1:
        yield f"reuse.verify={reuse.verify:g}: it is a share of the trials; use 0 to 1"
    for key in ("steps", "evaluation_batches"):
        if (value := getattr(probe, key)) < 1:
            yield f"probe.{key}={value}: nothing would be measured; use 1 or more"
    for key in ("rounds", "disturbed_again"):
        if (value := getattr(confirm, key)) < 0:
            yield f"confirm.{key}={value}: it is a number of probes; use 0 or more"
