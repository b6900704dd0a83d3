"""DeepSpeed's own numbers where everything learns, and what freezing and packing take off them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.models.assemble import build_model
from terrasweep.predict.count_states import count_built, count_planned
from terrasweep.predict.memory_needs import ModelCounts
from terrasweep.predict.zero_estimates import CHOICES, load_estimators, plan_metrics, predict_zero
from tests.composing import compose_trial

ESTIMATORS = load_estimators()
SIZES = st.integers(min_value=1, max_value=10**11)
GPUS = st.integers(min_value=1, max_value=8)


def counts(learning, *, layer=None, frozen=0, stored=None, constants=0, frozen_layer=0):
    return ModelCounts(
        trainable_sizes=(learning,),
        trainable_bytes=4 * learning,
        frozen_parameters=frozen if stored is None else 0,
        frozen_bytes=4 * frozen if stored is None else 0,
        quantized_parameters=0 if stored is None else frozen,
        quantized_bytes=stored or 0,
        constant_bytes=constants,
        buffer_bytes=12345,
        largest_trainable_layer=learning if layer is None else layer,
        largest_frozen_layer_bytes=frozen_layer,
    )


def need(model, choice, gpus):
    (found,) = [n for n in predict_zero(model, ESTIMATORS, [gpus]) if (n.stage, n.offload) == choice]
    return found


@given(total=SIZES, layer=SIZES, gpus=GPUS)
def test_a_full_fine_tuning_has_deepspeed_s_own_numbers(total, layer, gpus):
    model = counts(total, layer=min(layer, total))
    layer = model.largest_trainable_layer
    for offload in ("none", "optimizer"):
        theirs = ESTIMATORS.zero2(total, num_gpus_per_node=gpus, num_nodes=1, cpu_offload=offload == "optimizer")
        ours = need(model, (2, offload), gpus)
        assert (ours.host_bytes, ours.gpu_bytes) == theirs
    for offload in ("none", "parameters"):
        offloaded = offload == "parameters"
        theirs = ESTIMATORS.zero3(
            total,
            layer,
            num_gpus_per_node=gpus,
            num_nodes=1,
            cpu_offload=offloaded,
            cpu_offload_params=offloaded,
            zero_init=False,
        )
        ours = need(model, (3, offload), gpus)
        assert (ours.host_bytes, ours.gpu_bytes) == theirs[:2]
        assert ours.disk_bytes == 0


def test_a_real_model_is_counted_as_deepspeed_counts_it():
    from deepspeed.runtime.zero.stage3 import model_to_params

    config = compose_trial("tuning=full", "decoder=linear")
    module = build_model(config, 6, torch.device("cpu")).module
    planned, _ = count_planned(config)
    assert (planned.trainable_parameters, planned.largest_trainable_layer) == model_to_params(module)


@given(total=SIZES, gpus=GPUS)
def test_nvme_needs_on_the_disk_what_parameters_need_on_the_host_in_the_end(total, gpus):
    model = counts(total)
    on_host, on_disk = need(model, (3, "parameters"), gpus), need(model, (3, "nvme"), gpus)
    lasting = ESTIMATORS.zero3(total, total, num_gpus_per_node=gpus, num_nodes=1, zero_init=True)[0]
    assert on_disk.gpu_bytes == on_host.gpu_bytes
    assert on_disk.disk_bytes == lasting <= on_host.host_bytes
    assert on_disk.host_bytes <= on_host.host_bytes


@given(learning=SIZES, frozen=SIZES, gpus=GPUS, choice=st.sampled_from(CHOICES))
def test_freezing_and_packing_never_need_more(learning, frozen, gpus, choice):
    layer, frozen_layer = min(learning, 10**8), min(frozen, 10**8)
    everything = need(counts(learning + frozen, layer=layer + frozen_layer), choice, gpus)
    part = need(counts(learning, layer=layer, frozen=frozen, frozen_layer=4 * frozen_layer), choice, gpus)
    packed = need(
        counts(learning, layer=layer, frozen=frozen, stored=(frozen + 1) // 2, frozen_layer=(frozen_layer + 1) // 2),
        choice,
        gpus,
    )
    # In 16 bits, as the estimators take them, what learns would be smaller on a GPU than what is frozen in 32.
    places = {
        "GPU": lambda n: n.device_bytes,
        "host": lambda n: n.host_bytes,
        "disk": lambda n: n.disk_bytes,
    }
    for place, size in places.items():
        sizes = [size(n) for n in (packed, part, everything)]
        rounding = 4  # Each of the two parts is rounded on its own.
        assert sizes[0] <= sizes[1] <= sizes[2] + rounding, (place, sizes)


@given(learning=SIZES, frozen=SIZES, choice=st.sampled_from(CHOICES))
def test_more_gpus_never_need_more_of_each(learning, frozen, choice):
    model = counts(learning, frozen=frozen, constants=frozen // 16)
    sizes = [need(model, choice, gpus).gpu_bytes for gpus in range(1, 9)]
    assert sizes == sorted(sizes, reverse=True)


def test_a_frozen_giant_with_adapters():
    """10^9 packed weights and 10^6 that learn, by hand."""
    model = counts(10**6, layer=1000, frozen=10**9, stored=5 * 10**8, constants=6 * 10**7, frozen_layer=10**7)
    built = 4 * 10**9
    one, four = 1, 4
    assert need(model, (2, "none"), one).gpu_bytes == 20 * 10**6 + 56 * 10**7
    assert need(model, (2, "optimizer"), four).gpu_bytes == 2 * 10**6 + 56 * 10**7
    assert need(model, (3, "none"), four).gpu_bytes == 4000 + 18 * 10**6 // 4 + 5 * 10**8 // 4 + 10**7 + 6 * 10**7
    assert need(model, (3, "parameters"), four).gpu_bytes == 4000 + 10**7 + 6 * 10**7
    assert need(model, (3, "parameters"), four).host_bytes == 18 * 10**6 * 1.5 + 4 * built
    assert need(model, (3, "nvme"), four).disk_bytes == 18 * 10**6 * 1.5 + 5 * 10**8
    assert need(model, (3, "nvme"), one).host_bytes == 4 * 10**6 * 1.5 + built


def test_metrics_are_curves_over_gpus():
    config = compose_trial("quantization=nf4")
    model = count_built(build_model(config, 6, torch.device("cpu")).module)
    metrics = plan_metrics(model)
    assert metrics == plan_metrics(count_planned(config)[0])
    assert {name.rsplit("_", 2)[0] for name in metrics} == {f"zero{stage}_offload_{o}" for stage, o in CHOICES}
    for (stage, offload), place in [((2, "optimizer"), "gpu"), ((3, "parameters"), "host"), ((3, "nvme"), "disk")]:
        curve = metrics[f"zero{stage}_offload_{offload}_{place}_mib"]
        assert [gpus for gpus, _ in curve] == list(range(1, 9))
        sizes = [getattr(need(model, (stage, offload), gpus), f"{place}_bytes") for gpus in range(1, 9)]
        assert [mib for _, mib in curve] == pytest.approx([size / 2**20 for size in sizes])
