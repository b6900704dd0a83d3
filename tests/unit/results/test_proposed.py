"""What a result keeps of its proposal, also one of a version that kept less."""

from terrasweep.results.proposed import expected, share_left, share_of_next_hour

EARLIER = {"as": "training", "promise": 0.1, "seconds": 9.0, "expected": {"accuracy": [0.5, 0.4, 0.6]}}


def test_shares_are_of_what_was_had_then():
    proposed = EARLIER | {"hypervolume": 0.4, "left": 0.1, "next_hour": 0.2}
    assert (share_left(proposed), share_of_next_hour(proposed)) == (0.25, 0.5)
    assert share_left({"as": "filling", "hypervolume": 0.4, "left": 0.0, "next_hour": 0.0}) == 0.0


def test_what_is_not_there_is_absent_and_no_zero():
    for proposed in ({}, {"as": "filling"}, EARLIER, EARLIER | {"hypervolume": 0.0, "left": 0.1}):
        assert share_left(proposed) is None
        assert share_of_next_hour(proposed) is None
    assert expected({"as": "filling"}) == {}
    assert expected(EARLIER) == {"accuracy": (0.5, 0.4, 0.6)}
