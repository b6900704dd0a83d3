"""Bytes by formula are those that bitsandbytes and torch really hold, for any size."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.config.knobs.optimizer import OptimizerConfig
from terrasweep.config.knobs.quantization import LOW_BIT
from terrasweep.models.transforms.quantize import quantized, stored_bytes
from terrasweep.predict.memory_needs import ModelCounts, Plan, ZeroNeed, optimizer_bytes, packed_bytes
from terrasweep.training.optimizers import build_optimizer
from tests.composing import compose_trial
from tests.unit.predict.test_count_states import occupied


@pytest.mark.parametrize("size", [1, 255, 256, 257, 4095, 4096, 4097])
def test_state_of_a_tensor_of_any_size(size):
    config = compose_trial("optimizer=adamw8bit").optimizer
    parameter = torch.nn.Parameter(torch.ones(size))
    parameter.grad = torch.ones(size)
    stepped = build_optimizer([parameter], config, lr=1e-3)
    stepped.step()
    state = [value for value in stepped.state[parameter].values() if isinstance(value, torch.Tensor)]
    assert optimizer_bytes((size,), config) == occupied(state)


@pytest.mark.parametrize("shape", [(64, 64), (1, 64), (3, 50), (96, 129), (130, 130)])
@pytest.mark.parametrize("quantization", LOW_BIT)
def test_a_low_bit_layer_of_any_size_takes_what_bitsandbytes_holds(shape, quantization):
    linear = torch.nn.Linear(shape[1], shape[0], bias=False)
    low = quantized(linear, quantization, torch.float32, torch.device("cpu"))
    assert sum(packed_bytes(shape[0], linear.weight.numel(), quantization)) == stored_bytes(low)


def counts(**changes):
    fields = {field.name: 0 for field in dataclasses.fields(ModelCounts)} | {"trainable_sizes": (3, 4)}
    return ModelCounts(**fields | changes)


def test_each_parameter_is_of_one_kind_and_every_byte_is_in_the_sum():
    kinds = {"trainable_bytes": 1, "frozen_bytes": 10, "quantized_bytes": 100, "constant_bytes": 1000}
    model = counts(frozen_parameters=20, quantized_parameters=300, buffer_bytes=10_000, **kinds)
    assert (model.trainable_parameters, model.total_parameters) == (7, 327)
    assert (model.weight_bytes, model.gradient_bytes) == (11_111, 1)
    plan = Plan(counts=model, optimizer_bytes=100_000, zero=[], notes=[])
    assert plan.state_bytes == 111_111 + 1
    assert plan.built_bytes == 4 * 327


def test_a_gpu_holds_what_the_estimators_leave_out_too():
    sizes = {"gpu_bytes": 1, "host_bytes": 9, "full_precision_bytes": 10, "bucket_bytes": 100}
    need = ZeroNeed(stage=2, offload="none", gpus=1, **sizes)
    assert dataclasses.replace(need, bucket_bytes=100).device_bytes == 111


@given(st.lists(st.integers(1, 10**6), max_size=5), st.lists(st.integers(1, 10**6), max_size=5))
def test_states_of_models_add_up_but_for_the_shared_tables(first, second):
    adamw = OptimizerConfig(name="adamw")
    sizes = [optimizer_bytes(tuple(part), adamw) for part in (first, second, first + second)]
    assert sizes[0] + sizes[1] == sizes[2]
    packed = OptimizerConfig(name="adamw8bit", min_8bit_size=1)
    sizes = [optimizer_bytes(tuple(part), packed) for part in (first, second, first + second)]
    assert sizes[0] + sizes[1] - sizes[2] == (2048 if first and second else 0)
