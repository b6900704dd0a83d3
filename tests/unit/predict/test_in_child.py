"""What a plan's child reports is what is counted."""

import os

from terrasweep.predict.count_states import count_planned
from terrasweep.predict.in_child import plan
from terrasweep.predict.memory_needs import optimizer_bytes
from terrasweep.predict.zero_estimates import CHOICES
from tests.composing import compose_trial


def test_the_whole_plan_is_reported_and_no_gpu_is_seen(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    config = compose_trial("quantization=nf4", "tuning.rank=2", "optimizer=adamw8bit")
    reported = {}
    plan(lambda **values: reported.update(values), config)
    (found,) = reported.values()
    counts, notes = count_planned(config)
    assert (found.counts, found.notes) == (counts, notes)
    assert found.optimizer_bytes == optimizer_bytes(counts.trainable_sizes, config.optimizer)
    assert {(need.stage, need.offload) for need in found.zero} == set(CHOICES)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
