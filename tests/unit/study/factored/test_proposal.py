"""Which of the candidates is worth its seconds most."""

import json

import numpy as np
import pytest
from optuna.trial import TrialState

from terrasweep.study.factored.forecast import Models
from terrasweep.study.factored.history import read_history
from terrasweep.study.factored.proposal import Proposal, Ranking, measured_reference
from terrasweep.study.factored.quantities import MEASURED, PROBE_SECONDS, TRAINING_SECONDS, Prediction
from tests.unit.study.factored.small_space import OBJECTIVES, candidates, numbers, trial

REFERENCE = [(0.0, 1.0), (0.0, 20.0), (2500.0, 2500.0)]


def predict(settings):
    speed, memory = numbers(settings)[1:]
    told = {"speed": speed, "memory": memory, TRAINING_SECONDS: 1000 / speed, PROBE_SECONDS: 50 / speed}
    return {name: Prediction(value=value, relative_error=0.02) for name, value in told.items()}


FOUND = candidates(predict)


def ranking(settings, running=(), **options):
    trials = [trial(s, numbers(s), **{MEASURED: {TRAINING_SECONDS: 1000 / numbers(s)[1]}}) for s in settings]
    trials += [trial(s, state=TrialState.RUNNING) for s in running]
    history = read_history(trials, FOUND, OBJECTIVES, [])
    models = Models(history, [], {})
    return Ranking(history, models, OBJECTIVES, REFERENCE, **{"reuse": True} | options)


def ranked(settings, among, **options):
    return ranking(settings, **options).best(among, 500)


def members(settings):
    return FOUND.members(FOUND.of(settings), 24)


def test_a_group_is_trained_in_its_fastest_member_for_the_gain_of_all():
    """Keeping everything is fastest; the other members promise memory."""
    untried = {"bits": "few", "rank": 16, "rate": 0.02, "store": "none"}
    tried = [c.settings for c in FOUND.pool[:8] if c.quality != FOUND.of(untried).quality]
    together = ranked(tried, members(untried))
    assert [p.candidate.settings["store"] for p in together] == ["keep"]
    assert not together[0].is_probe
    alone = ranked(tried, [member for member in members(untried) if member.settings["store"] == "keep"])
    assert together[0].promise > 1.2 * alone[0].promise
    assert together[0].seconds == pytest.approx(alone[0].seconds)


def test_members_of_a_known_quality_are_probes_of_their_own():
    known = {"bits": "few", "rank": 64, "rate": 0.01, "store": "keep"}
    found = ranked([known], members(known))
    assert {p.candidate.settings["store"] for p in found} == {"half", "none"}
    assert all(p.is_probe and p.seconds < 10 for p in found)
    assert found[0].rate >= found[1].rate > 0


def test_without_reuse_each_candidate_stands_for_itself_and_is_trained():
    known = {"bits": "few", "rank": 64, "rate": 0.01, "store": "keep"}
    found = ranked([known], members(known), reuse=False)
    assert {p.candidate.settings["store"] for p in found} == {"half", "none"}
    assert all(not p.is_probe and p.seconds > 50 for p in found)


def test_a_gain_is_what_the_numbers_say():
    """Of a probe of which all is known but for 2 %."""
    known, probed = ({"bits": "few", "rank": 64, "rate": 0.01, "store": store} for store in ("keep", "none"))
    found = ranked([known], [FOUND.of(probed)])
    gains = [
        [(v - w) / s if up else (w - v) / s for v, (w, s), up in zip(numbers(c), REFERENCE, (1, 1, 0), strict=True)]
        for c in (known, probed)
    ]
    shared = np.prod(np.minimum(*gains))
    assert found[0].promise == pytest.approx(np.prod(gains[1]) - shared, rel=0.05)
    expected = ranking([known]).explained(found[0]).expected
    assert expected["accuracy"] == (pytest.approx(numbers(known)[0]),) * 3, "it was measured"
    expectation, low, high = expected["memory"]
    assert low < expectation == pytest.approx(numbers(probed)[2], rel=0.01)
    assert high == pytest.approx(expectation * 1.02, rel=0.01)


def test_what_is_being_trained_is_left_alone_and_counts_as_its_expectation():
    tried = [c.settings for c in FOUND.pool if c.settings["bits"] == "full"][:8]
    busy = {"bits": "few", "rank": 4, "rate": 0.01, "store": "keep"}
    among = [*members(busy), *members({**busy, "rate": 0.011})]
    idle, beside = ranked(tried, among), ranked(tried, among, running=[busy])
    assert len({p.candidate.quality for p in idle}) == 2
    assert {p.candidate.settings["rate"] for p in beside} == {0.011}
    rival = next(p for p in idle if p.candidate.settings["rate"] == 0.011)
    assert beside[0].promise < 0.97 * rival.promise


def test_nothing_is_ranked_where_all_was_tried():
    known = {"bits": "full", "rate": 0.01, "store": "keep"}
    assert ranked([known], [FOUND.of(known)]) == []


def test_a_reason_is_kept_in_plain_values():
    candidate = FOUND.pool[0]
    compared = Proposal(
        candidate=candidate, is_probe=True, promise=0.1, seconds=2.0, expected={"memory": (3.0, 2.0, 4.0)}
    )
    expected = {"as": "probe", "promise": 0.1, "seconds": 2.0, "expected": {"memory": [3.0, 2.0, 4.0]}}
    assert compared.as_plain() == expected
    assert json.loads(json.dumps(expected)) == expected
    assert Proposal(candidate=candidate).as_plain() == {"as": "filling"}


def test_the_reference_lies_beyond_the_worst():
    assert measured_reference([(1.0, 10.0), (2.0, 30.0)], [True, False]) == [(0.9, 1.0), (32.0, 20.0)]
    assert measured_reference([(0.0,)], [True]) == [(-0.1, 1.0)]
