"""Every way a trial can end has an error, which says the same in the parent as in the child."""

import pickle

import pytest

from terrasweep.results import errors
from terrasweep.results.errors import TerrasweepError, first_line
from terrasweep.results.states import Reason

ERRORS = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, TerrasweepError)]


def test_every_reason_but_those_of_the_study_has_an_error_of_its_own():
    """A prediction and a pruner end a trial without an exception; the base stands for what nobody expected."""
    own = [error.reason for error in ERRORS if error is not TerrasweepError]
    assert len(own) == len(set(own))
    assert set(Reason) - set(own) == {Reason.PREDICTED_OOM, Reason.PRUNER}
    assert TerrasweepError.reason is Reason.CRASHED


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_goes_from_a_child_to_its_parent_with_all_it_says(error):
    sent = error("a=1: wrong; use 2", violation=0.25)
    came = pickle.loads(pickle.dumps(sent))
    assert type(came) is error
    assert (str(came), came.violation, came.reason) == ("a=1: wrong; use 2", 0.25, error.reason)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n  one  \ntwo"), "one  "),
        (ValueError(), "ValueError"),
        (KeyError("\n"), "'\\n'"),
        (OSError(2, "No such file"), "[Errno 2] No such file"),
    ],
)
def test_an_exception_is_a_part_of_one_line(error, line):
    assert first_line(error) == line
