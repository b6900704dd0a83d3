"""Every use of every knob is looked at, with values that a trial can have, in few combinations."""

import itertools

from omegaconf import OmegaConf

from terrasweep.study.distinct_models import combinations
from terrasweep.study.search_space import parse_space
from terrasweep.trial.check_models import KNOBS

BASE = OmegaConf.create({"hydra": {"runtime": {"choices": {"tuning": "lora", "quantization": "none"}}}})


def looked_at(params):
    return list(combinations(parse_space(params, []), BASE))


def test_a_space_without_models_is_looked_at_once():
    assert looked_at({"train.lr": "interval(1e-4,1e-2)", "tuning.rank": "choice(1,2)"}) == [({}, KNOBS)]


def test_each_value_of_a_knob_is_seen_and_not_every_combination():
    found = looked_at(
        {
            "quantization": "choice(none, int8, nf4)",
            "tuning.targets": "choice(attention, mlp) if tuning=lora",
            "tuning.rank": "choice(1, 2, 4, 8)",
            "checkpointing": "choice(none, blocks)",
        }
    )
    assert len(found) == 2 + 3 + 2
    for key, value in [("quantization", "nf4"), ("tuning.targets", "mlp"), ("checkpointing", "blocks")]:
        assert ({key: value}, (key.partition(".")[0],)) in found


def test_a_model_is_seen_with_each_use_of_each_knob():
    found = looked_at(
        {"backbone": "choice(a, b)", "decoder": "choice(unet, fcn)", "checkpointing": "choice(none, blocks)"}
    )
    pairs = [(v["backbone"], v["decoder"], v["checkpointing"]) for v, knobs in found if "checkpointing" in knobs]
    assert sorted(pairs) == sorted(itertools.product("ab", ("unet", "fcn"), ("none", "blocks")))
    assert all({"backbone", "decoder"} <= values.keys() for values, _ in found)


def test_a_knob_is_looked_at_with_values_that_go_together_alone():
    space = {
        "tuning": "choice(lora, frozen)",
        "tuning.targets": "choice(qv, mlp) if tuning=lora",
        "quantization": "choice(none, nf4) if tuning=frozen and train.batch_size=8",
        "train.batch_size": "choice(4, 8)",
    }
    found = looked_at(space)
    tunings = [(v.get("tuning"), v.get("tuning.targets")) for v, knobs in found if "tuning" in knobs]
    assert sorted(tunings, key=str) == [("frozen", None), ("lora", "mlp"), ("lora", "qv")]
    for values, knobs in found:
        if "quantization" in values:
            assert knobs == ("quantization",)
            assert (values["tuning"], values["train.batch_size"]) == ("frozen", 8)


def test_a_knob_that_hangs_on_the_model_is_not_looked_at_with_another_one():
    space = {"backbone": "choice(vit, resnet)", "checkpointing": "choice(none, blocks) if backbone=vit"}
    found = looked_at(space)
    assert {v["backbone"] for v, _ in found if v.get("checkpointing")} == {"vit"}
    assert all(v["backbone"] in ("vit", "resnet") for v, _ in found)


def test_of_a_range_its_ends_are_looked_at_and_a_single_value_once():
    found = looked_at({"backbone.arguments.depth": "range(2,10)", "decoder.channels": "range(8,9)"})
    models = [values for values, _ in found]
    assert models == [
        {"backbone.arguments.depth": 2, "decoder.channels": 8},
        {"backbone.arguments.depth": 9, "decoder.channels": 8},
    ]
