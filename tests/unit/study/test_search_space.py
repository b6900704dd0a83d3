"""The search space's grammar."""

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from terrasweep.results.errors import InvalidConfig
from terrasweep.study.override_text import as_override
from terrasweep.study.search_space import NOT_OFFERED, parse_space, unknown_conditions

BASE = OmegaConf.create({"hydra": {"runtime": {"choices": {"precision": "fp32", "tuning": "lora"}}}, "a": {"b": 3}})


def suggestions(params, arguments=(), draws=60):
    space = parse_space(params, list(arguments))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.suggest(study.ask(), BASE) for _ in range(draws)]


def test_ranges_become_the_distributions_of_hydra_optuna_sweeper():
    params = {"q": "choice(none,nf4)", "n": "range(1,5)", "lr": "tag(log,interval(1e-5,1e-3))"}
    keys = {key.name: key.distribution for key in parse_space(params, []).keys}
    assert keys["q"] == CategoricalDistribution(["none", "nf4"])
    assert keys["n"] == IntDistribution(1, 4)
    assert keys["lr"] == FloatDistribution(1e-5, 1e-3, log=True)


def test_a_conditional_key_is_there_exactly_when_its_condition_holds():
    params = {"tuning": "choice(lora,frozen,full)", "tuning.rank": "choice(2,4) if tuning=lora|full"}
    drawn = suggestions(params)
    assert {d["tuning"] for d in drawn} == {"lora", "frozen", "full"}
    assert all(("tuning.rank" in d) == (d["tuning"] in ("lora", "full")) for d in drawn)


def test_conditions_chain_and_an_inactive_key_satisfies_no_equality():
    params = {
        "tuning": "choice(lora,frozen)",
        "rank": "choice(2,4) if tuning=lora",
        "deep": "choice(x,y) if rank=4 and tuning=lora",
        "other": "choice(x,y) if rank!=4",
    }
    for drawn in suggestions(params):
        assert ("deep" in drawn) == (drawn.get("rank") == 4)
        assert ("other" in drawn) == (drawn.get("rank") != 4)


def test_conditions_see_fixed_groups_and_values_of_the_configuration():
    assert all("x" in d for d in suggestions({"x": "choice(1,2) if precision=fp32 and a.b=3"}))
    assert not any("x" in d for d in suggestions({"x": "choice(1,2) if precision!=fp32"}))


def test_the_command_line_fixes_a_key_or_gives_it_another_range_with_the_same_conditions():
    params = {"tuning": "choice(lora,frozen)", "tuning.rank": "choice(2,4) if tuning=lora"}
    fixed = parse_space(params, ["tuning.rank=8"])
    assert [key.name for key in fixed.keys] == ["tuning"]
    assert fixed.fixed == ("tuning.rank=8",)
    narrowed = parse_space(params, ["tuning.rank=choice(16,32)"])
    assert narrowed.keys[1].distribution == CategoricalDistribution([16, 32])
    assert narrowed.keys[1].conditions
    assert narrowed.keys[1].text == "choice(16,32) if tuning=lora"


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"x": "nf4"}, "not a range"),
        ({"x": "choice(1,2) if y"}, "use KEY=VALUE"),
        ({"x": "choice(1,2) if y=1", "y": "choice(1,2) if x=1"}, "depend on each other"),
        ({"x": "choice(1,2"}, "search-spaces.md"),
    ],
)
def test_a_bad_space_is_refused_in_one_line(params, told):
    with pytest.raises(InvalidConfig, match=told) as refused:
        parse_space(params, [])
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("search space: ")


def test_a_condition_may_ask_for_a_key_that_the_command_line_adds_later():
    drawn = suggestions({"tuning.rank": "choice(2,4) if tuning=lora"}, ["tuning=choice(lora,frozen)"])
    assert {d["tuning"] for d in drawn} == {"lora", "frozen"}
    assert all(("tuning.rank" in d) == (d["tuning"] == "lora") for d in drawn)


def test_conditions_compare_values_not_their_spelling():
    base = OmegaConf.create({"hydra": {"runtime": {"choices": {}}}, "lr": 0.001, "flag": True, "nothing": None})
    study = optuna.create_study()
    for condition, holds in {"lr=1e-3": 1, "flag=true": 1, "flag=false": 0, "nothing=null": 1, "lr!=0.001": 0}.items():
        space = parse_space({"x": f"choice(1,2) if {condition}"}, [])
        assert ("x" in space.suggest(study.ask(), base)) == holds, condition


def test_a_condition_on_a_key_that_exists_nowhere_is_found():
    space = parse_space({"x": "choice(1,2) if tunning=lora"}, [])
    (told,) = unknown_conditions(space, BASE)
    assert "did you mean tuning?" in told
    assert unknown_conditions(parse_space({"x": "choice(1,2) if tuning=lora and a.b=3"}, []), BASE) == []


READER = OverridesParser.create()


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, unique=True))
def test_any_texts_given_as_choices_reach_the_trials_as_they_are(texts):
    quoted = ",".join(as_override("", text)[1:] for text in texts)
    for form in (f"choice({quoted})", f"{quoted},last"):
        (key,) = parse_space({}, [f"k={form}"]).keys
        assert isinstance(key.distribution, CategoricalDistribution)
        read = [READER.parse_override(key.override(choice)).value() for choice in key.distribution.choices]
        assert read[: len(texts)] == texts


def test_lists_and_files_with_equals_signs_are_choices():
    space = parse_space(
        {"targets": "choice([attn.qkv],[mlp.fc1,'a b'])", "file": "choice('/w/epoch=1-step=10.ckpt')"}, []
    )
    # As earlier versions stored them: Optuna refuses to go on with others.
    assert [key.distribution.choices for key in space.keys] == [
        *(("[attn.qkv]", "[mlp.fc1,'a b']"), ("/w/epoch=1-step=10.ckpt",))
    ]
    chosen = {"targets": "[mlp.fc1,'a b']", "file": "/w/epoch=1-step=10.ckpt"}
    read = {o.key_or_group: o.value() for o in READER.parse_overrides(space.overrides(chosen))}
    assert read == {"targets": ["mlp.fc1", "a b"], "file": "/w/epoch=1-step=10.ckpt"}


def test_a_list_and_its_text_cannot_both_be_choices():
    with pytest.raises(InvalidConfig, match="drop one"):
        parse_space({"x": "choice([a],'[a]')"}, [])


OFFERED = {
    "choice(none,nf4)": (["none", "nf4"], ["int8", None, 1]),
    "choice(1,2.5)": ([1, 2.5], [2, True, "1"]),
    "choice(true,1)": ([True, 1], [False, "true", None]),
    "choice([],[a,b],auto)": ([[], ["a", "b"], "auto"], [["a"], "[]", None]),
    "range(1,9,2)": ([1, 5, 7], [2, 9, 0, 1.5, True, "3", None]),
    "int(interval(1,64))": ([1, 64], [0, 65, "8"]),
    "tag(log,interval(1e-5,1e-2))": ([1e-5, 0.0033, 1e-2], [1e-6, 0.1, None]),
}


@pytest.mark.parametrize("text", OFFERED)
def test_a_value_is_offered_where_it_can_be_suggested_and_what_is_suggested_stands_for_it(text):
    (key,) = parse_space({"x": text}, []).keys
    offered, others = OFFERED[text]
    assert [key.meant(key.suggested_for(value)) for value in offered] == offered
    assert [key.suggested_for(value) for value in others] == [NOT_OFFERED] * len(others)


def test_the_values_of_a_configuration_are_those_that_compose_it_again():
    params = {"tuning": "choice(lora,full)", "rank": "choice(2,4) if tuning=lora", "deep.x": "choice([a],[b])"}
    space = parse_space(params, [])
    composed = {"hydra": {"runtime": {"choices": {"tuning": "lora"}}}, "rank": 4, "deep": {"x": ["b"]}}
    values = space.values_of(OmegaConf.create(composed), BASE)
    assert sorted(space.overrides(values)) == ["deep.x=[b]", "rank=4", "tuning=lora"]
    full = composed | {"hydra": {"runtime": {"choices": {"tuning": "full"}}}}
    assert sorted(space.overrides(space.values_of(OmegaConf.create(full), BASE))) == ["deep.x=[b]", "tuning=full"]
    assert space.values_of(OmegaConf.create(composed | {"rank": 3}), BASE) == {}
