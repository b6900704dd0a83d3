"""Two configurations share a key exactly where the declaration says that they share a number."""

import dataclasses
import json

import pytest

from terrasweep.config.bears_on import bearings
from terrasweep.trial import keys
from terrasweep.trial.keys import keys_of
from tests.composing import compose_trial

OTHER = {
    "trial.number": 7,
    "study.name": "another",
    "repeats.seeds": 3,
    "tracking.uri": "sqlite:///elsewhere.db",
    "reuse.verify": 0.5,
    "probe.steps": 3,
    "schedule.warmup": 5.0,
    "budget.timeout_s": 100.0,
    "budget.host_memory_gib": 10.0,
    "budget.memory_gib": 10.0,
    "budget.gate": False,
    "budget.gate_verify": 0.5,
    "data.workers": 2,
    "data.in_memory": False,
    "data.check_tiles": 7,
    "data.class_names": ["a", "b"],
    "task.accuracy": "Pixel_Accuracy",
    "task.accuracy_name": "pixel accuracy",
    "task.loss_arguments": {"gamma": 1.0},
    "task.class_weights": [1.0, 2.0],
    "train.accumulate": 2,
    "train.lr": 0.5,
    "train.clip_norm": 0.5,
    "train.backbone_lr_ratio": 0.5,
    "train.layer_decay": 0.5,
    "train.max_steps": 99,
    "train.epochs": 3,
    "train.untimed_steps": 5,
    "train.validate_every": "epoch",
    "train.keep": "best",
    "train.patience": 3,
    "train.seed": 5,
    "train.device": "cpu",
    "train.save_weights": False,
    "train.count_flops": False,
    "checkpointing.name": "blocks",
    "checkpointing.every": 2,
    "offload.name": "parameters",
    "offload.nvme_path": "/somewhere",
    "optimizer.implementation": "loop",
    "optimizer.weight_decay": 0.5,
    "optimizer.betas": [0.5, 0.6],
    "optimizer.decay_all": True,
    "tuning.alpha_ratio": 5.0,
    "tuning.use_rslora": True,
    "tuning.initialisation": "pissa",
    "backbone.name": "another",
    "decoder.name": "another",
    "data.root": "/elsewhere",
    "data.state": "another",
    "data.resize_px": 8,
    "quantization.name": "nf4",
    "tuning.rank": 3,
    "tuning.dropout": 0.3,
    "precision.name": "bf16",
    "precision.matmul": "medium",
    "augment.name": "none",
    "optimizer.name": "adamw8bit",
    "train.batch_size": 3,
}
"""Another value for each key that is exempt from something, and for some that are not."""


@pytest.fixture(scope="module")
def base():
    return compose_trial("backbone.checkpoint=null")


def changed(config, key, value):
    section, name = key.split(".")
    return config.with_settings(section, dataclasses.replace(config.settings(section), **{name: value}))


def test_each_exempt_key_is_tried(base):
    exempt = {key for key, _, found in bearings(base) if found.why}
    # One key stands for all of a section.
    alike = {"trial", "study", "repeats", "confirm", "tracking", "reuse", "probe", "schedule"}
    assert {key for key in exempt if key.split(".")[0] not in alike} - {"offload.deepspeed_config"} <= OTHER.keys()


@pytest.mark.parametrize("key", OTHER)
def test_a_key_counts_where_it_is_declared_to(base, key):
    declared = {name: found for name, _, found in bearings(base)}[key]
    before, after = keys_of(base), keys_of(changed(base, key, OTHER[key]))
    in_steps = key == "train.untimed_steps"  # With train.max_steps their sum is the length.
    assert (before.quality != after.quality) == ("quality" in declared.numbers or bool(declared.rounding) or in_steps)
    assert (before.cost != after.cost) == bool(declared.numbers & {"memory", "speed"})
    same = before.has_accuracy_of(after.quality, to_rounding=True)
    assert same == ("quality" not in declared.numbers and not in_steps)


def test_steps_that_are_not_timed_train_as_the_others_do(base):
    other = dataclasses.replace(
        base.train, untimed_steps=base.train.untimed_steps + 2, max_steps=base.train.max_steps - 2
    )
    moved = dataclasses.replace(base, train=other)
    assert keys_of(moved).quality == keys_of(base).quality
    assert keys_of(moved).cost != keys_of(base).cost


def test_for_the_cost_it_matters_whether_there_is_a_norm_to_clip_to_and_not_which(base):
    first, second = (keys_of(changed(base, "train.clip_norm", norm)) for norm in (0.5, 1.0))
    assert first.cost == second.cost != keys_of(base).cost
    assert first.quality != second.quality


def test_parts_of_a_batch_count_where_a_layer_sees_the_batch(base):
    whole, parts = keys_of(base), keys_of(changed(base, "train.accumulate", 2))
    assert whole.quality_of(batch_statistics=False) == parts.quality_of(batch_statistics=False)
    assert whole.quality_of(batch_statistics=True) != parts.quality_of(batch_statistics=True)
    assert parts.has_accuracy_of(whole.quality_of(batch_statistics=False), to_rounding=False)
    assert not parts.has_accuracy_of(whole.quality_of(batch_statistics=True), to_rounding=False)


def test_workers_of_a_datamodule_of_one_s_own_may_draw(base):
    own = changed(base, "data.datamodule", "some.where.Module")
    assert keys_of(own).quality != keys_of(changed(own, "data.workers", 2)).quality


def test_another_file_under_the_same_name_is_another(base, tmp_path):
    file = tmp_path / "deepspeed.json"
    file.write_text("{}")
    config = changed(base, "offload.deepspeed_config", str(file))
    before = keys_of(config)
    file.write_text(json.dumps({"gradient_clipping": 1.0}))
    assert keys_of(config).quality != before.quality


def test_another_device_costs_otherwise_and_learns_the_same(base, monkeypatch):
    before = keys_of(base)
    monkeypatch.setattr(keys, "compute_threads", lambda: 77)
    assert keys_of(base).cost != before.cost
    assert keys_of(base).quality == before.quality


def test_on_a_gpu_it_is_the_boards_that_cost(base, monkeypatch):
    monkeypatch.setattr(keys, "effective_device", lambda _: "cuda")
    costs = set()
    for boards, visible in ((["H100"], ""), (["L4"], ""), (["H100", "L4"], "0"), (["H100", "L4"], "1")):
        monkeypatch.setattr(keys, "gpu_names", lambda boards=boards: boards)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        costs.add(keys_of(base).cost)
    assert len(costs) == 4
    monkeypatch.setattr(keys, "compute_threads", lambda: 77)
    assert keys_of(base).cost in costs


def test_a_datamodule_that_names_no_module_is_known_by_its_name_alone(base):
    nowhere, other = (keys_of(changed(base, "data.datamodule", name)) for name in ("Module", "Other"))
    assert nowhere.quality != other.quality


def test_other_code_and_other_libraries_are_others(base, monkeypatch):
    before = keys_of(base)
    monkeypatch.setattr(keys, "versions", lambda: {"torch": "0.1"})
    other = keys_of(base)
    assert before.quality != other.quality
    assert before.cost != other.cost
