"""Every configuration of a space is listed once, as Hydra composes it, as far as it differs in what is asked for."""

import pytest

from terrasweep.config.compose import compose
from terrasweep.results.errors import InvalidConfig
from terrasweep.study import whole_space as whole
from terrasweep.study.whole_space import names_a_space, whole_space, without_search

FIXED = ["backbone.checkpoint=null", "study.name=s"]


def listed(params, *overrides, without=()):
    found = whole_space([*FIXED, *overrides], lambda name: name not in without, params)
    return found, [values for values, _ in found.configurations]


def test_each_combination_is_composed_as_hydra_does(home):
    params = {
        "tuning": "choice(lora, frozen)",
        "tuning.rank": "choice(2, 4) if tuning=lora",
        "checkpointing": "choice(none, blocks)",
    }
    found, values = listed(params, "train.batch_size=choice(2,4)", "decoder=linear")
    assert len(values) == (2 + 1) * 2 * 2
    assert {"tuning": "frozen", "checkpointing": "none", "train.batch_size": 4} in values
    assert found.base == compose([*FIXED, "decoder=linear", "trial.number=0"])
    for chosen, config in found.configurations[::5]:
        overrides = [f"{key}={value}" for key, value in chosen.items()]
        assert config == compose([*FIXED, "decoder=linear", "trial.number=0", *overrides])


def test_keys_that_are_not_asked_for_keep_their_default(home):
    params = {
        "train.lr": "interval(1e-4, 1e-2)",
        "tuning.rank": "choice(2, 4) if train.seed=1",
        "train.seed": "choice(1, 2)",
    }
    found, values = listed(params, without=("train.lr", "train.seed"))
    assert values == [
        {"train.seed": 1, "tuning.rank": 2},
        {"train.seed": 1, "tuning.rank": 4},
        {"train.seed": 2},
    ], "what a condition asks for is listed, too"
    assert found.left_out == ["train.lr"]


def test_a_range_is_listed_where_it_is_short_and_else_has_ends(home):
    params = {
        "tuning.rank": "range(2, 9, 2)",
        "train.batch_size": "int(interval(1, 64))",
        "tuning.dropout": "range(0,9,1)",
        "tuning.alpha_ratio": "interval(0.5, 2)",
    }
    found, values = listed(params)
    assert {v["tuning.rank"] for v in values} == {2, 4, 6, 8}
    assert {v["train.batch_size"] for v in values} == {1, 64}
    assert {v["tuning.dropout"] for v in values} == {0, 8}
    assert {v["tuning.alpha_ratio"] for v in values} == {0.5, 2.0}
    assert sorted(found.only_ends) == ["train.batch_size", "tuning.alpha_ratio", "tuning.dropout"]


def test_the_space_that_the_overrides_choose_is_taken(home):
    found, values = listed(None, "search_spaces=peft_geofm", without=("train.lr", "precision", "checkpointing"))
    assert {v["quantization"] for v in values} >= {"none", "nf4"}
    assert sorted(found.left_out) == ["checkpointing", "precision", "train.lr"]


def test_too_many_are_refused_with_a_way_out(home, monkeypatch):
    monkeypatch.setattr(whole, "MOST_CONFIGURATIONS", 3)
    with pytest.raises(InvalidConfig, match=r"^search space: it has more than 3 configurations .* fix one of them"):
        listed({"tuning.rank": "choice(1,2)", "train.seed": "choice(1,2)"})


@pytest.mark.parametrize(
    ("overrides", "is_space"),
    [
        ([], False),
        (["backbone=any", "tuning.rank=4", "hydra/launcher=joblib"], False),
        (["sweeps=own_data"], True),
        (["search_spaces=memory"], True),
        (["tuning.rank=choice(1,2)"], True),
        (["tuning.rank=1,2"], True),
    ],
)
def test_a_space_is_named_by_a_sweep_a_space_or_a_searched_key(overrides, is_space):
    assert names_a_space(overrides) is is_space


def test_what_fixes_something_is_told_from_what_searches():
    assert without_search(["a.b=1", "tuning.rank=choice(1,2)", "decoder=fcn"]) == ["a.b=1", "decoder=fcn"]
