"""Samplers of whole trials learn from keys that not every trial has, and from what did not fit among them."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import GPSampler, NSGAIISampler, RandomSampler
from optuna.trial import TrialState

from terrasweep.study.conditional_keys import WithEveryKey

SPACE = {
    "tuning": CategoricalDistribution(["lora", "frozen"]),
    "rank": FloatDistribution(0, 1),
    "steps": IntDistribution(3, 3),
}
"""``rank`` is active with LoRA, where more is better and what exceeds 0.6 does not fit."""
SAMPLERS = {
    "gp": lambda: GPSampler(seed=0, n_startup_trials=6, warn_independent_sampling=False),
    "nsgaii": lambda: NSGAIISampler(seed=0, population_size=6, mutation_prob=0.15),
}


class Watching(RandomSampler):
    """Keeps the settings that it was shown."""

    def sample_relative(self, study, trial, search_space):
        found = study._get_trials(deepcopy=False, states=None, use_cache=False)
        self.shown = [(t.state.name, t.params) for t in found]
        self.asked = search_space
        return {"rank": 0.25, "tuning": "lora"}


def ask(study):
    trial = study.ask()
    if trial.suggest_categorical("tuning", ["lora", "frozen"]) == "lora":
        return trial, trial.suggest_float("rank", 0, 1)
    return trial, None


def test_a_sampler_is_shown_trials_with_each_key_and_their_own_values():
    watching = Watching()
    study = optuna.create_study(sampler=WithEveryKey(watching, SPACE))
    study.enqueue_trial({"tuning": "frozen"})
    study.enqueue_trial({"tuning": "lora", "rank": 0.7})
    for _ in range(2):
        study.tell(ask(study)[0], 1.0)
    assert ask(study)[1] == 0.25
    without_rank, with_rank, _ = first = watching.shown
    assert with_rank == ("COMPLETE", {"tuning": "lora", "rank": 0.7, "steps": 3})
    assert without_rank[1].keys() == SPACE.keys()
    assert (without_rank[1]["tuning"], 0 <= without_rank[1]["rank"] <= 1) == ("frozen", True)
    assert ask(study)[1] == 0.25
    assert watching.shown[:2] == first[:2]
    assert set(watching.asked) == {"tuning", "rank"}  # A single value is no question.
    assert study.trials[0].params == {"tuning": "frozen"}


def later_ranks(sampler, count):
    study = optuna.create_study(sampler=sampler, direction="maximize")
    drawn = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(count):
            trial, rank = ask(study)
            drawn.append(rank)
            worst = min((t.value for t in study.get_trials(states=(TrialState.COMPLETE,))), default=0.0)
            trial.set_constraint("miss", max(0.0, (rank or 0.0) - 0.6))
            study.tell(trial, worst if rank is not None and rank > 0.6 else 0.2 if rank is None else rank)
    return np.array([rank for rank in drawn[count // 2 :] if rank is not None])


@pytest.mark.parametrize(("name", "count"), [("gp", 18), ("nsgaii", 60)])
def test_a_conditional_key_is_learnt_with_its_limit(name, count):
    """Good ones lie between 0.4 and 0.6, where chance would put a fifth of them."""
    found = later_ranks(WithEveryKey(SAMPLERS[name](), SPACE), count)
    assert len(found) > 3
    assert np.mean((found > 0.4) & (found <= 0.6)) > 0.5
