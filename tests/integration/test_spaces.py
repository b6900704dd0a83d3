"""Shipped search spaces: no contradiction is ever proposed from one, and what belongs together is searched together."""

import optuna
import pytest
import yaml

from terrasweep.config.compose import composed_trial
from terrasweep.study.search_space import parse_space
from terrasweep.trial import rules
from tests.composing import ROOT, compose_all
from tests.integration.test_configs import SPACES

DRAWS = 30


def keys_of(space):
    return yaml.safe_load((ROOT / "search_spaces" / f"{space}.yaml").read_text())


def cases():
    """Each space as it is, and with another tuning on the command line where it leaves that open."""
    for space in SPACES:
        keys = keys_of(space)
        yield space, "lora"
        if "tuning" not in keys:
            yield space, "frozen"
            if "quantization" not in keys:  # Low-bit weights are not for full fine-tuning.
                yield space, "full"


def test_a_space_that_searches_the_tuning_searches_the_learning_rate_that_suits_it():
    searching = {space for space in SPACES if "tuning" in keys_of(space)}
    assert searching >= {"full", "lora", "own_data"}
    assert [space for space in sorted(searching) if "train.lr" not in keys_of(space)] == []


@pytest.mark.slow
@pytest.mark.parametrize(("space", "tuning"), list(cases()))
def test_no_draw_breaks_a_rule(space, tuning):
    chosen = [f"search_spaces={space}", f"tuning={tuning}", "backbone.checkpoint=null", "train.device=cpu"]
    base = compose_all(chosen)
    searched = parse_space(base.hydra.sweeper.params, [])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(DRAWS):
        values = searched.suggest(study.ask(), base)
        overrides = searched.overrides(values)
        assert list(rules.find_violations(composed_trial(compose_all([*chosen, *overrides])))) == [], overrides
        seen |= values.keys()
    texts = {key.name: key.text for key in searched.keys}
    active = {n for n, text in texts.items() if tuning == "lora" or "tuning=lora" not in text or f"|{tuning}" in text}
    assert seen == active, "every key is proposed now and then"
