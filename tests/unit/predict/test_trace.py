"""A trace that is written by hand: what is held when."""

from terrasweep.predict.trace import Block, Kind, Phase, Trace

WEIGHT = Block(100, False, Kind.WEIGHTS)
INPUT = Block(10, False, Kind.ACTIVATIONS)
GRADIENT = Block(100, False, Kind.GRADIENTS)
OFFLOADED = Block(7, True, Kind.ACTIVATIONS)


def held(peak):
    return {kind: size for kind, size in peak.items() if size}


def traced(*begins):
    """A weight; an input, a gradient beside it, which outlives it; the input of a second step, on the host too."""
    events = [(0, 100), (1, 10), (2, 100), (1, -1), (3, 10), (4, 7), (4, -1), (3, -1)]
    return Trace(events=events, blocks=[WEIGHT, INPUT, GRADIENT, INPUT, OFFLOADED], begins=list(begins))


def test_the_peak_of_a_phase_is_what_is_held_at_its_worst_moment():
    trace = traced((Phase.BUILD, 0), (Phase.FIRST_STEP, 1), (Phase.STEADY_STEP, 4), (Phase.EVALUATION, 8))
    peaks = {phase: held(peak) for phase, peak in trace.peaks(on_host=False).items()}
    assert peaks == {
        Phase.BUILD: {Kind.WEIGHTS: 100},
        Phase.FIRST_STEP: {Kind.WEIGHTS: 100, Kind.ACTIVATIONS: 10, Kind.GRADIENTS: 100},
        Phase.STEADY_STEP: {Kind.WEIGHTS: 100, Kind.ACTIVATIONS: 10, Kind.GRADIENTS: 100},
        Phase.EVALUATION: {Kind.WEIGHTS: 100, Kind.GRADIENTS: 100},
    }


def test_what_is_held_when_a_phase_begins_counts_though_nothing_is_allocated_in_it():
    trace = traced((Phase.BUILD, 0), (Phase.FIRST_STEP, 3))
    assert held(trace.peaks(on_host=False)[Phase.FIRST_STEP])[Kind.GRADIENTS] == 100


def test_device_and_host_are_told_apart():
    trace = traced((Phase.BUILD, 0), (Phase.FIRST_STEP, 1))
    assert {phase: held(peak) for phase, peak in trace.peaks(on_host=True).items()} == {
        Phase.BUILD: {},
        Phase.FIRST_STEP: {Kind.ACTIVATIONS: 7},
    }
    assert trace.events_of(on_host=True) == [(4, 7), (4, -1)]


def test_of_a_phase_that_comes_twice_the_higher_peak_counts():
    trace = traced((Phase.BUILD, 0), (Phase.FIRST_STEP, 1), (Phase.EVALUATION, 4), (Phase.FIRST_STEP, 5))
    assert sum(trace.peaks(on_host=False)[Phase.FIRST_STEP].values()) == 210
