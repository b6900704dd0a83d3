"""DeepSpeed's settings, a user's own file on top of them, and what is compiled."""

import json

import pytest

from terrasweep.models.offload import extensions
from terrasweep.models.offload.deepspeed_settings import Sizes, deepspeed_config
from terrasweep.trial import rules
from tests.composing import compose_trial

SIZES = Sizes(trainable=1000, largest=300)


def settings(*overrides):
    return deepspeed_config(compose_trial(*overrides), SIZES, pin_memory=False)


@pytest.mark.parametrize(
    ("offload", "stage", "optimizer", "parameters"),
    [("optimizer", 2, "cpu", None), ("parameters", 3, "cpu", "cpu"), ("nvme", 3, "nvme", "nvme")],
)
def test_an_offload_is_the_stage_and_the_devices_it_stands_for(offload, stage, optimizer, parameters, tmp_path):
    path = [f"offload.nvme_path={tmp_path}"] if offload == "nvme" else []
    made = settings(f"offload={offload}", "train.batch_size=5", *path)
    zero = made["zero_optimization"]
    assert zero["stage"] == stage
    assert zero["offload_optimizer"]["device"] == optimizer
    assert zero.get("offload_param", {}).get("device") == parameters
    assert made["train_micro_batch_size_per_gpu"] == 5
    if offload == "nvme":
        assert zero["offload_param"]["nvme_path"] == str(tmp_path)
        assert zero["offload_param"]["buffer_size"] >= SIZES.largest
    if stage == 3:  # DeepSpeed's own defaults keep a billion parameters on the device.
        assert zero["stage3_max_live_parameters"] <= 10 * SIZES.largest


def test_buffers_are_cut_to_the_model_and_never_above_deepspeed_s_own():
    for trainable, bucket in ((1000, 1000), (40 * 10**9, 5 * 10**8)):
        sizes = Sizes(trainable=trainable, largest=10)
        made = deepspeed_config(compose_trial("offload=parameters"), sizes, pin_memory=False)
        assert made["zero_optimization"]["reduce_bucket_size"] == bucket


def test_a_user_s_file_wins_where_it_says_something_and_nowhere_else(tmp_path):
    file = tmp_path / "ds.json"
    file.write_text(json.dumps({"zero_optimization": {"sub_group_size": 7}, "wall_clock_breakdown": True}))
    plain = settings("offload=parameters")
    own = settings("offload=parameters", f"offload.deepspeed_config={file}")
    assert own["zero_optimization"].pop("sub_group_size") == 7
    assert own.pop("wall_clock_breakdown") is True
    assert own == plain


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"optimizer": {"type": "Adam"}}, "'optimizer', but optimizer= sets it"),
        ({"fp16": {"enabled": True}}, "precision= sets it"),
        ({"zero_optimization": {"stage": 3}}, "its stage is 3, but the configuration's is 2"),
        ({"zero_optimization": {"offload_optimizer": {"device": "none"}}}, "offload_optimizer is none"),
        ({"train_micro_batch_size_per_gpu": 99}, "train_micro_batch_size_per_gpu is 99"),
        ({"gradient_clipping": 1.0}, "train.clip_norm sets it"),
        ({"zero_optimization": True}, "its zero_optimization is True; give its settings as an object"),
        ({"zero_optimization": {"offload_optimizer": "cpu"}}, "its offload_optimizer is 'cpu'; give"),
        ({"zero_optimization": {"reduce_bucket_size": "auto"}}, "the value 'auto'"),
        ({"zero_optimization": {"offload_optimizer": {"device": "cpu", "nvme_path": "/x"}}}, "it sets 'nvme_path'"),
        ([1, 2], "can't be read as JSON (it holds no object)"),
    ],
)
def test_a_file_that_contradicts_the_knobs_is_refused(content, told, tmp_path):
    file = tmp_path / "ds.json"
    file.write_text(json.dumps(content))
    config = compose_trial("offload=optimizer", f"offload.deepspeed_config={file}")
    (line,) = rules.find_violations(config)
    assert told in line
    assert line.startswith(f"offload.deepspeed_config={file}: ")
    assert "; " in line


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    for name in ("broken.json", "missing.json"):
        config = compose_trial("offload=optimizer", f"offload.deepspeed_config={tmp_path / name}")
        (line,) = rules.find_violations(config)
        assert "can't be read" in line


def test_nvme_without_a_path_or_with_one_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("terrasweep.models.offload.deepspeed_settings.missing_for_nvme", lambda device: "")
    (line,) = rules.find_violations(compose_trial("train.device=cpu", "offload=nvme"))
    assert line.startswith("offload.nvme_path=null with offload=nvme: ")
    (line,) = rules.find_violations(
        compose_trial("train.device=cpu", "offload=nvme", "offload.nvme_path=/no/such/disk")
    )
    assert line.startswith("offload.nvme_path=/no/such/disk: ")


def test_nvme_where_it_can_not_be_compiled_is_refused_with_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv(extensions.EXTENSIONS, str(tmp_path / "extensions"))
    monkeypatch.setattr(extensions, "find_library", lambda name: None)
    (line,) = rules.find_violations(compose_trial("train.device=cpu", "offload=nvme", f"offload.nvme_path={tmp_path}"))
    assert "libaio" in line
    extensions.mark_compiled("cpu")  # What is compiled needs no header.
    assert (
        list(rules.find_violations(compose_trial("train.device=cpu", "offload=nvme", f"offload.nvme_path={tmp_path}")))
        == []
    )
