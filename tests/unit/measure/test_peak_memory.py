"""A phase's peak is the build's or that of what comes after it, and both count against the budget."""

import pytest

from terrasweep.measure.catalog import budget_peaks, of_build
from terrasweep.measure.meter import Phase
from terrasweep.measure.peak_memory import PEAK_BUILD, PEAK_MEMORY, peak_of


@pytest.mark.parametrize("phase", Phase)
def test_the_build_alone_has_a_peak_of_its_own(phase):
    assert peak_of(phase) is (PEAK_BUILD if phase is Phase.BUILD else PEAK_MEMORY)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_s_peak_is_held_against_the_budget(phase):
    reading = {peak_of(phase).name: 1.0}
    assert budget_peaks(reading) == reading
    assert bool(of_build(reading)) is (phase is Phase.BUILD)
