"""Contradictions are found all at once, each in one line with its way out."""

from dataclasses import replace

import pytest

from terrasweep.config.knobs.quantization import LOW_BIT
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.wording import nearest
from terrasweep.trial import rules
from tests.composing import compose_trial


@pytest.fixture(scope="module")
def valid():
    config = compose_trial()
    assert list(rules.find_violations(config)) == []
    return config


def test_all_violations_are_told_at_once(valid):
    config = replace(
        valid,
        train=replace(valid.train, batch_size=0, lr=-1.0),
        tuning=replace(valid.tuning, rank=-4, targets="attn"),
        budget=replace(valid.budget, memory_gib=0.0),
    )
    with pytest.raises(InvalidConfig) as refused:
        rules.check(config)
    lines = str(refused.value).splitlines()
    for start in ("train.batch_size=0:", "train.lr=-1.0:", "tuning.rank=-4:", "tuning.targets=attn:", "budget.memory"):
        assert sum(line.startswith(start) for line in lines) == 1
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("section", "changes", "told"),
    [
        ("tuning", {"name": "full", "rank": None, "targets": None}, "low-bit weights take no gradient"),
        ("tuning", {"rank": None}, "an adapter needs a rank"),
        ("tuning", {"targets": []}, "or a list of layer names"),
        ("tuning", {"name": "frozen"}, "nothing is adapted"),
        ("tuning", {"dropout": 1.0}, "a probability"),
        ("backbone", {"bands": ["RED"]}, "the input layer differs"),
        ("data", {"bands": ["RED"]}, "six bands of their own"),
        ("data", {"means": [1.0] * 6}, "give both or neither"),
        ("data", {"means": [1.0] * 6, "stds": [0.0] * 6}, "must be above 0"),
        ("data", {"tile_px": 8}, "data.tile_px=8"),
        ("task", {"name": "classification"}, "it serves segmentation"),
        ("backbone", {"checkpoint": "/nowhere.safetensors"}, "no such file"),
        ("precision", {"matmul": "higest"}, "did you mean highest?"),
        ("train", {"device": "tpu"}, "use auto, cpu or cuda"),
        ("train", {"untimed_steps": -1}, "can't be negative"),
        ("study", {"name": ".."}, "names a folder"),
        ("study", {"name": "single"}, "names a folder"),
        ("study", {"objectives": []}, "at least one"),
    ],
)
def test_each_rule_is_found(valid, section, changes, told):
    changed = replace(valid, **{section: replace(getattr(valid, section), **changes)})
    config = replace(changed, quantization=replace(valid.quantization, name="nf4"))
    found = list(rules.find_violations(config))
    assert any(told in line for line in found), found
    assert all("\n" not in line for line in found)
    assert all(";" in line or "at least" in line or "must be" in line for line in found), "a way out"


def test_lora_on_low_bit_weights_is_allowed(valid):
    for name in LOW_BIT:
        config = replace(valid, quantization=replace(valid.quantization, name=name))
        assert list(rules.find_violations(config)) == []


def test_the_nearest_name_or_all_names_are_offered():
    assert nearest("unett", ["unet", "fcn"]) == "did you mean unet?"
    assert nearest("zzz", ["unet", "fcn"]) == "there are: fcn, unet"
