"""What became of trials by their predicted peak is counted; a false skip is one that was verified and fitted."""

from terrasweep.results.gate import Gate, count_judged
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult


def trial(number, gate="", reason=None):
    state = State.COMPLETE if reason is None else reason.state
    return TrialResult(number=number, state=state, reason=reason, gate=str(gate))


def test_what_was_verified_counts_where_it_came_to_a_verdict():
    found = count_judged(
        [
            trial(0),
            trial(1, Gate.STARTED),
            trial(2, Gate.STARTED, Reason.OVER_BUDGET),
            trial(3, Gate.SKIPPED, Reason.PREDICTED_OOM),
            trial(4, Gate.VERIFIED, Reason.OVER_BUDGET),
            trial(5, Gate.VERIFIED, Reason.OOM_DEVICE),
            trial(6, Gate.VERIFIED),
            trial(7, Gate.VERIFIED, Reason.CRASHED),
            trial(8, Gate.VERIFIED, Reason.PRUNER),
        ]
    )
    assert (found.judged, found.skipped, found.verified) == (8, 1, 4)
    assert found.fitted == (6, 8)


def test_a_verdict_survives_being_stored():
    stored = trial(1, Gate.SKIPPED, Reason.PREDICTED_OOM)
    assert TrialResult.from_json(stored.to_json()) == stored
