"""The counters are read around the timed steps alone; what the kernel doesn't tell is absent."""

from dataclasses import replace

import pytest

from terrasweep.machine.contention import Counters
from terrasweep.measure.host_contention import HostContentionMeter

START = Counters(
    seconds=0.0, own_seconds=0.0, busy_seconds=0.0, stolen_seconds=0.0, threads={1: (0, 0)}, pressure_seconds={"cpu": 0}
)


class Machine:
    """A second per reading; the clock of others runs only while they are let."""

    def __init__(self):
        self.now = START
        self.readings = 0

    def read(self):
        self.readings += 1
        return self.now

    def passes(self, seconds, *, waited=0.0, others=0.0):
        now = self.now
        ((ran, waits),) = now.threads.values()
        self.now = replace(
            now,
            seconds=now.seconds + seconds,
            own_seconds=now.own_seconds + seconds - waited,
            busy_seconds=now.busy_seconds + seconds - waited + others,
            threads={1: (ran + int(1e9 * (seconds - waited)), waits + int(1e9 * waited))},
            pressure_seconds={"cpu": now.pressure_seconds["cpu"] + waited},
        )


def measured(untimed, waits):
    """One second per step; in each, the trial waits for so much of it, and others use that."""
    machine = Machine()
    with HostContentionMeter(untimed, machine.read) as meter:
        for step, waited in enumerate(waits):
            meter.on_step_begin(step)
            machine.passes(1.0, waited=waited, others=waited)
            meter.on_step_end(step, 4)
    return machine, meter.reading()


@pytest.mark.parametrize("untimed", [0, 1, 3])
def test_what_others_take_during_timed_steps_counts_and_before_them_does_not(untimed):
    machine, reading = measured(untimed, [0.9] * untimed + [0.5, 0.25, 0.0])
    assert machine.readings == 2
    assert reading["processor_wait_share"] == pytest.approx(0.25)
    assert reading["other_processors"] == pytest.approx(0.25)
    assert reading["processors"] == pytest.approx(0.75)
    assert reading["cpu_pressure_share"] == pytest.approx(0.25)
    assert reading["steal_share"] == 0
    assert "memory_pressure_share" not in reading


def test_a_trial_that_ends_before_its_first_timed_step_has_no_reading():
    machine, reading = measured(3, [0.5, 0.5])
    assert (machine.readings, reading) == (0, {})
    assert HostContentionMeter(0, machine.read).reading() == {}
