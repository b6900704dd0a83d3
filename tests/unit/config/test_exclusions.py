"""Every exclusion can be violated, is told in one line, and stands in the documentation."""

from dataclasses import replace

import pytest

from terrasweep.config import exclusions
from terrasweep.config.exclusions import AllBut, Presence, exclusions_table
from terrasweep.config.knobs import EXCLUSIONS
from terrasweep.machine import hardware
from tests.composing import ROOT, compose_trial

KNOBS = ROOT / "docs" / "knobs.md"
ANYTHING = {
    "quantization.skip": ["blocks.0"],
    "quantization.skip_count": 2,
    "tuning.rank": 4,
    "tuning.targets": "mlp",
    "checkpointing.every": 2,
    "optimizer.implementation": "fused",
    "optimizer.min_8bit_size": 4096,
    "offload.nvme_path": "/",
    "offload.deepspeed_config": "ds.json",
}
SOMETHING_ELSE = {
    "tuning.unfreeze_last": 1,
    "tuning.name": "frozen",
    "quantization.name": "none",
    "quantization.skip": [],
    "checkpointing.name": "none",
    "offload.name": "none",
}


def value_for(key, values):
    if isinstance(values, AllBut):
        return SOMETHING_ELSE[key]
    if isinstance(values, Presence):
        return ANYTHING[key] if values is Presence.SET else ([] if key == "quantization.skip" else None)
    return values[0]


def with_value(config, key, value):
    section, _, field = ("train.device" if key == "device" else key).partition(".")
    return replace(config, **{section: replace(getattr(config, section), **{field: value})})


@pytest.mark.parametrize("exclusion", EXCLUSIONS, ids=lambda e: f"{e.key}-{e.other_key}-{e.reason[:20]}")
def test_each_exclusion_can_happen_and_names_both_knobs_the_reason_and_the_way_out(exclusion):
    valid = compose_trial("train.device=cpu")
    assert not exclusion.violated(valid)
    broken = valid
    for key, values in exclusion.knobs:
        broken = with_value(broken, key, value_for(key, values))
    assert exclusion.violated(broken)
    line = exclusion.line(broken)
    assert "\n" not in line
    first, second, *_ = (exclusions._shown(key) for key, _ in exclusion.knobs)
    assert line.startswith(f"{first}=")
    assert f" with {second}=" in line
    assert line.endswith(f": {exclusion.reason}; {exclusion.way_out}")


def test_the_documentation_s_table_is_the_one_that_the_rules_make():
    assert exclusions_table(EXCLUSIONS) in KNOBS.read_text()


def test_auto_is_the_cpu_where_nvml_sees_no_gpu(monkeypatch):
    for names, device in (([], "cpu"), (["a GPU"], "cuda")):
        hardware._has_gpu.cache_clear()
        monkeypatch.setattr(hardware, "gpu_names", lambda names=names: names)
        assert hardware.effective_device("auto") == device
    hardware._has_gpu.cache_clear()
    assert hardware.effective_device("cpu") == "cpu"
