"""MFU: what the model needs a second over the device's dense peak in the trial's arithmetic."""

import pytest

from terrasweep.config.knobs.precision import PrecisionConfig
from terrasweep.trial.utilization import measured_utilization

MEASURED = {"model_flops_per_sample": 2e12, "throughput_samples_per_s": 41.3, "flops_per_step": 9e12}
BF16 = PrecisionConfig(name="bf16", lightning="bf16-mixed")


def test_it_is_a_share_of_the_peak_in_the_trial_s_arithmetic():
    found = measured_utilization(MEASURED, "NVIDIA GeForce RTX 4090", BF16)
    assert found == {"mfu": pytest.approx(2e12 * 41.3 / 165.2e12)}
    in_32_bits = PrecisionConfig(name="fp32", lightning="32-true")
    assert measured_utilization(MEASURED, "NVIDIA GeForce RTX 4090", in_32_bits)["mfu"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("measured", "device"),
    [
        (MEASURED, "AMD EPYC, 2 cores"),
        (MEASURED, "Tesla T4"),
        ({**MEASURED, "model_flops_per_sample": None}, "NVIDIA L4"),
        ({"model_flops_per_sample": 2e12}, "NVIDIA L4"),
        ({}, ""),
    ],
)
def test_without_one_of_the_numbers_there_is_none(measured, device):
    assert measured_utilization(measured, device, BF16) == {}
