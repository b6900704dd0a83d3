"""What others took of the host while steps were timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

from terrasweep.machine.contention import RESOURCES, Counters, contention, read_counters
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import MeteredTrial, PassiveMeter, Phase, Reading

PROCESSORS = Measurement(
    name="processors",
    label="processors",
    unit="1",
    definition="Processors that the trial's process and its data-loader workers kept busy over the timed steps.",
)
OTHER_PROCESSORS = Measurement(
    name="other_processors",
    label="others' processors",
    unit="1",
    definition="Processors that all other processes of the machine kept busy over the timed steps.",
)
PROCESSOR_WAIT_SHARE = Measurement(
    name="processor_wait_share",
    label="processor wait share",
    unit="1",
    definition="Of the time in which the trial's threads wanted a processor over the timed steps, the share in which "
    "they waited for one, in [0, 1].",
)
STEAL_SHARE = Measurement(
    name="steal_share",
    label="steal share",
    unit="1",
    definition="Of the time in which the machine wanted processors over the timed steps, the share that a hypervisor "
    "gave to others, in [0, 1].",
)
PRESSURE_SHARES = {
    resource: Measurement(
        name=f"{resource}_pressure_share",
        label=f"{resource} pressure share",
        unit="1",
        definition=f"Share of the timed steps in which some task of the control group, or of the machine, waited for "
        f"{words}, in [0, 1] (pressure-stall information).",
    )
    for resource, words in zip(RESOURCES, ("a processor", "memory to become free", "storage"), strict=True)
}
"""Resource to the measurement of its pressure."""


class HostContentionMeter(PassiveMeter):
    """Reads the kernel's counters before the first timed step and after the last; validations between them count."""

    measurements: ClassVar[tuple[Measurement, ...]] = (
        *(PROCESSORS, OTHER_PROCESSORS, PROCESSOR_WAIT_SHARE, STEAL_SHARE),
        *PRESSURE_SHARES.values(),
    )

    def __init__(self, untimed_steps: int, read: Callable[[], Counters] = read_counters) -> None:
        """Args: ``read`` tells the counters of the moment."""
        self._untimed, self._read = untimed_steps, read
        self._before: Counters | None = None
        self._after: Counters | None = None

    @classmethod
    def for_phase(cls, phase: Phase, trial: MeteredTrial) -> Self | None:
        """The training alone."""
        return cls(trial.untimed_steps) if phase is Phase.TRAINING else None

    def on_step_begin(self, step: int) -> None:
        """Read at the start of the first step of all, where that is a timed one."""
        if step == 0 and self._untimed == 0:
            self._before = self._read()

    def on_step_end(self, step: int, samples: int) -> None:
        """Read after the last untimed step."""
        if step == self._untimed - 1:
            self._before = self._read()

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            self._after = self._read()

    def reading(self) -> Reading:
        """None where no step was timed, or where the kernel doesn't tell."""
        if self._before is None or self._after is None:
            return {}
        found = contention(self._before, self._after)
        return {
            PROCESSORS.name: found.own_processors,
            OTHER_PROCESSORS.name: found.other_processors,
            PROCESSOR_WAIT_SHARE.name: found.waited_share,
            STEAL_SHARE.name: found.steal_share,
            **{PRESSURE_SHARES[resource].name: share for resource, share in found.pressure.items()},
        }
