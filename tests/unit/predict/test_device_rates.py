"""Peaks of devices by the names that drivers give, in the arithmetic of a trial."""

import pytest

from terrasweep.config.knobs.precision import PrecisionConfig
from terrasweep.predict.device_rates import RATES, known_rates, rates_table
from tests.composing import ROOT


def peak(name, precision, matmul="highest"):
    rates = known_rates(name)
    assert rates is not None
    return rates.peak_flops_per_s(PrecisionConfig(name=precision, lightning="", matmul=matmul))


@pytest.mark.parametrize(
    ("name", "precision", "matmul", "expected"),
    [
        ("NVIDIA GeForce RTX 4090", "bf16", "highest", 165.2e12),
        ("NVIDIA GeForce RTX 4090", "fp32", "highest", 82.6e12),
        ("NVIDIA A100-SXM4-40GB", "fp32", "highest", 19.5e12),
        ("NVIDIA A100-SXM4-40GB", "fp32", "high", 156e12),
        ("NVIDIA H100 80GB HBM3", "fp32", "medium", 494.5e12),
        ("Tesla V100-SXM2-16GB", "fp16", "highest", 125e12),
        ("Tesla V100-SXM2-16GB", "fp32", "high", 15.7e12),
        ("Tesla T4", "bf16", "highest", None),
    ],
)
def test_the_peak_is_that_of_the_trial_s_arithmetic(name, precision, matmul, expected):
    assert peak(name, precision, matmul) == expected


@pytest.mark.parametrize("name", ["NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA A10G", "AMD EPYC", ""])
def test_a_part_of_a_gpu_and_what_is_not_known_have_none(name):
    assert known_rates(name) is None


def test_figures_are_dense_and_named_once():
    """With sparsity they would be four times those of 32-bit products, and more, on these."""
    for rates in RATES:
        half = rates.bf16_tflops or rates.fp16_tflops
        assert half is not None
        if rates.tf32_tflops is not None:
            assert half == pytest.approx(2 * rates.tf32_tflops, rel=0.02)
        assert rates.source.startswith(("https://www.nvidia.com/", "https://images.nvidia.com/"))
    names = [name for rates in RATES for name in rates.names]
    assert len(names) == len(set(names))


def test_the_page_has_the_table():
    assert f"\n{rates_table()}\n" in (ROOT / "docs" / "speed.md").read_text()
