"""The Trainer for fake tensors has a trial's settings and precision."""

import pytest
import torch
from lightning.pytorch.accelerators import AcceleratorRegistry

from terrasweep.predict.fake_tensors import fake_tensors
from terrasweep.predict.fake_trainer import build_fake_trainer
from tests.composing import compose_trial


def test_gradients_are_clipped_and_steps_counted_as_in_a_trial():
    trainer = build_fake_trainer(compose_trial("train.clip_norm=0.5"), [])
    assert trainer.gradient_clip_val == 0.5
    assert trainer.max_steps == 2


def test_there_is_one_device_always_and_it_counts_nothing():
    accelerator = build_fake_trainer(compose_trial(), []).accelerator
    assert accelerator.get_parallel_devices(accelerator.auto_device_count()) == [torch.device("cpu")]
    assert accelerator.is_available()
    assert accelerator.get_device_stats(torch.device("cpu")) == {}
    assert accelerator.name() not in AcceleratorRegistry.available_accelerators(), "nobody takes it for a real one"


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_products_have_the_type_of_the_precision(precision, dtype):
    trainer = build_fake_trainer(compose_trial(f"precision={precision}"), [])
    with fake_tensors(), trainer.precision_plugin.forward_context():
        assert (torch.ones(4, 4) @ torch.ones(4, 4)).dtype is dtype
