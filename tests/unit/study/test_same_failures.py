"""Which failures are alike, and when they are too many."""

from terrasweep.results.states import Reason
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.same_failures import SameFailures


def ended(reason, number=0, message="x"):
    return TrialResult(number=number, state=reason.state, reason=reason, message=message)


def row(limit, *results):
    return len(SameFailures(limit, results).too_many)


CRASH = ended(Reason.CRASHED)


def test_three_alike_in_a_row_are_too_many_and_null_never_stops():
    assert [row(3, *[CRASH] * count) for count in (2, 3, 5)] == [0, 3, 5]
    assert row(None, *[CRASH] * 50) == 0


def test_another_failure_or_an_answer_begins_a_new_row():
    for between in (ended(Reason.DATA_ERROR), ended(Reason.CRASHED, message="y"), ended(Reason.TIMEOUT)):
        assert row(3, CRASH, CRASH, between, CRASH) == 0
        assert row(3, CRASH, CRASH, between, CRASH, CRASH, CRASH) == 3


def test_what_was_interrupted_and_what_does_not_fit_are_no_failures():
    assert row(3, CRASH, CRASH, ended(Reason.INTERRUPTED), CRASH) == 3
    assert row(2, *[ended(Reason.OOM_DEVICE)] * 9) == 0


def test_a_trial_s_own_folder_and_addresses_make_no_difference():
    messages = [f"it was ended; see /r/s/trials/{n}/log.txt (object at 0x7f{n}a)" for n in range(3)]
    assert row(3, *(ended(Reason.CRASHED, n, message) for n, message in enumerate(messages))) == 3
    assert row(2, ended(Reason.CRASHED, 0, "rank=4"), ended(Reason.CRASHED, 1, "rank=8")) == 0
