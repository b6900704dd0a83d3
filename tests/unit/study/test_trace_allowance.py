"""Traces take a share of the trials' time, and are given up where none has an answer."""

import pytest

from terrasweep.study.trace_allowance import FIRST_TRACE_S, MOST_AT_ONCE, SHARE, TraceAllowance


class Clock:
    """Seconds that pass as they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def pass_in(clock, context, seconds):
    with context:
        clock.now += seconds


def test_nothing_is_traced_before_trials_have_taken_their_time(clock):
    allowance = TraceAllowance(clock)
    assert allowance.affordable == 0
    pass_in(clock, allowance.while_trials_run(), FIRST_TRACE_S / SHARE - 1)
    assert allowance.affordable == 0
    pass_in(clock, allowance.while_trials_run(), 2)
    assert allowance.affordable == 1


def test_what_traces_took_is_gone_and_says_what_the_next_ones_take(clock):
    allowance = TraceAllowance(clock)
    pass_in(clock, allowance.while_trials_run(), 4 * FIRST_TRACE_S / SHARE)
    assert allowance.affordable == 4
    pass_in(clock, allowance.while_tracing(4), 2 * FIRST_TRACE_S)
    allowance.note_answers(4)
    assert allowance.affordable == 4, "half of the time is left, and each took half"
    pass_in(clock, allowance.while_tracing(4), 4 * FIRST_TRACE_S)
    assert allowance.affordable == 0
    pass_in(clock, allowance.while_trials_run(), 1e6)
    assert allowance.affordable == MOST_AT_ONCE


def test_what_never_has_an_answer_is_given_up(clock):
    allowance = TraceAllowance(clock)
    pass_in(clock, allowance.while_trials_run(), 1e6)
    for answers, expected in ((0, MOST_AT_ONCE), (1, MOST_AT_ONCE), (0, MOST_AT_ONCE), (0, 0)):
        pass_in(clock, allowance.while_tracing(1), 1)
        allowance.note_answers(answers)
        assert allowance.affordable == expected
    assert allowance.patience_s(3) >= 3 * FIRST_TRACE_S
