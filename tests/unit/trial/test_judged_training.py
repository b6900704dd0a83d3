"""A training that is judged: what it tells, how long it waits, and that it ends when it is told so."""

import math

import pytest

from terrasweep.results.errors import Pruned
from terrasweep.results.states import State
from terrasweep.trial.judged_training import ANSWER_WITHIN_S, JudgedTraining, judge_of
from terrasweep.trial.validations import Answer, Validation, read_progress, write_answer
from tests.composing import compose_trial

COSTS = {"throughput_samples_per_s": 12.0, "peak_memory_mib": None, "data_wait_share": 0.5}


class Watched:
    """A training on a clock of its own, whose sweep answers when the test says."""

    def __init__(self, folder):
        self.folder, self.now, self.answers = folder, 0.0, {}
        self.training = JudgedTraining(folder, "key", lambda: COSTS, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds):
        self.now += seconds
        for moment in [moment for moment in self.answers if moment <= self.now]:
            write_answer(self.folder, self.answers.pop(moment))

    def validate(self, steps, value=0.5, length=100):
        started = self.now
        self.training.judge(steps, length, {"accuracy": value})
        return self.now - started


def test_a_training_tells_what_it_found_and_what_it_costs_by_then(tmp_path):
    watched = Watched(tmp_path)
    watched.validate(10)
    watched.validate(20, math.nan)
    progress = read_progress(tmp_path)
    assert progress.validations == [
        Validation(steps=10, values={"accuracy": 0.5}),
        Validation(steps=20, values={"accuracy": None}),
    ]
    assert (progress.length, progress.costs) == (100, {"throughput_samples_per_s": 12.0})
    assert progress.cost_key == "key"


def test_it_ends_as_soon_as_it_is_told_so(tmp_path):
    watched = Watched(tmp_path)
    watched.answers = {1.0: Answer(validations=1, ends="MedianPruner: no")}
    with pytest.raises(Pruned, match="MedianPruner: no") as ended:
        watched.validate(10)
    assert ended.value.reason.state is State.PRUNED
    assert watched.now == pytest.approx(1.0, abs=0.1)


def test_it_waits_for_the_answer_to_its_own_validation(tmp_path):
    watched = Watched(tmp_path)
    watched.answers = {1.0: Answer(validations=1)}
    assert watched.validate(10) == pytest.approx(1.0, abs=0.1)
    watched.answers = {3.0: Answer(validations=2)}
    assert watched.validate(20) == pytest.approx(2.0, abs=0.1), "the first answer is not to this one"


def test_a_sweep_that_is_gone_is_waited_for_once(tmp_path):
    watched = Watched(tmp_path)
    assert watched.validate(10) == pytest.approx(ANSWER_WITHIN_S, abs=0.1)
    assert watched.validate(20) == 0.0
    write_answer(tmp_path, Answer(validations=3))
    assert watched.validate(30) == 0.0
    watched.answers = {watched.now + 1.0: Answer(validations=4)}
    assert watched.validate(40) == pytest.approx(1.0, abs=0.1), "it is there again"


def test_an_answer_that_comes_late_ends_the_training_at_its_next_validation(tmp_path):
    watched = Watched(tmp_path)
    watched.validate(10)
    write_answer(tmp_path, Answer(validations=1, ends="late"))
    with pytest.raises(Pruned, match="late"):
        watched.validate(20)


def test_the_last_validation_is_told_and_ends_nothing(tmp_path):
    watched = Watched(tmp_path)
    watched.answers = {0.0: Answer(validations=1, ends="too late")}
    assert watched.validate(100) == 0.0
    assert len(read_progress(tmp_path).validations) == 1


def test_what_an_earlier_run_of_the_job_left_counts_for_nothing(tmp_path):
    write_answer(tmp_path, Answer(validations=9, ends="stale"))
    watched = Watched(tmp_path)
    assert watched.validate(10) == pytest.approx(ANSWER_WITHIN_S, abs=0.1)


def test_a_trial_without_a_sweep_is_judged_by_nobody(tmp_path):
    assert judge_of(compose_trial(), tmp_path, "key", dict) is None
    assert judge_of(compose_trial("trial.judged=true"), tmp_path, "key", dict) is not None
