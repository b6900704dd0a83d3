"""What a step would take: operations, bytes and starts over the rates of the trial's device and arithmetic."""

import pytest

from terrasweep.predict import step_work as module
from terrasweep.predict.step_work import device_kind, step_work
from terrasweep.predict.trace import Work
from tests.composing import compose_trial

WORK = Work(flops=4e12, moved_bytes=2_016_000_000, kernels=1000)


@pytest.fixture
def on(monkeypatch):
    def set_device(*gpus, threads=2):
        monkeypatch.setattr(module, "gpu_names", lambda: list(gpus))
        monkeypatch.setattr(module, "compute_threads", lambda: threads)

    return set_device


def test_on_a_known_gpu_its_data_sheet_counts(on):
    on("NVIDIA GeForce RTX 4090")
    found = step_work(WORK, compose_trial("precision=bf16"), "cuda")
    assert found.compute_s == pytest.approx(4e12 / 165.2e12)
    assert found.memory_s == pytest.approx(2.016e9 / 1008e9)
    assert 1e-6 < found.launch_s / 1000 < 1e-4
    assert found.traits == ("precision=bf16",)
    in_32_bits = step_work(WORK, compose_trial("precision=fp32"), "cuda")
    assert in_32_bits.compute_s == pytest.approx(2 * found.compute_s)
    assert in_32_bits.traits == ()
    assert device_kind("cuda") == "NVIDIA GeForce RTX 4090"


def test_on_another_gpu_and_without_such_arithmetic_something_usual_counts(on):
    on("Another one")
    unknown = step_work(WORK, compose_trial("precision=fp32"), "cuda")
    on("Tesla T4")
    emulated = step_work(WORK, compose_trial("precision=bf16"), "cuda")
    assert unknown.compute_s > emulated.compute_s > 0
    assert emulated.memory_s == pytest.approx(2.016e9 / 320e9)


def test_on_a_cpu_threads_count(on):
    on(threads=1)
    one, kind = step_work(WORK, compose_trial(), "cpu"), device_kind("cpu")
    on(threads=4)
    four = step_work(WORK, compose_trial(), "cpu")
    assert (four.compute_s, four.memory_s) == pytest.approx((one.compute_s / 4, one.memory_s / 4))
    assert four.launch_s == one.launch_s
    assert kind != device_kind("cpu")


def test_settings_that_change_kernels_are_traits_and_without_a_count_there_is_no_work(on):
    on()
    config = compose_trial("quantization=nf4", "offload=activations")
    assert step_work(WORK, config, "cpu").traits == ("quantization=nf4", "offload=activations")
    assert step_work(Work(), config, "cpu") is None
