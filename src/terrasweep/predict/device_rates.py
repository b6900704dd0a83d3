"""How fast devices compute and move bytes at best, by their makers' data sheets. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from terrasweep.config.knobs.precision import PrecisionConfig
from terrasweep.results.wording import rounded

_TERA = 1e12
_NVIDIA = "https://www.nvidia.com/"
_CENTER = f"{_NVIDIA}en-us/data-center/"
_PAPERS = "https://images.nvidia.com/aem-dam/"


@dataclass(frozen=True, kw_only=True)
class DeviceRates:
    """Peaks of a GPU for dense matrices: the figures with sparsity, twice as high, are not what a training can reach.

    Where half-precision products can be summed in 16 or in 32 bits, as on GeForce cards, it is in 32, as torch does.
    """

    names: tuple[str, ...]
    """As the driver and torch give them; a part of a GPU (MIG) has another one, and stands in no table."""
    fp32_tflops: float
    """Outside of tensor cores."""
    tf32_tflops: float | None = None
    """None where the device has no such arithmetic."""
    bf16_tflops: float | None = None
    fp16_tflops: float | None = None
    memory_gb_per_s: float
    """Between its memory and its caches; 10**9 bytes."""
    source: str
    """The data sheet, or the white paper of the architecture."""

    def peak_flops_per_s(self, precision: PrecisionConfig) -> float | None:
        """Floating-point operations a second in a trial's arithmetic; None where the device has none of the kind."""
        peak = {"bf16": self.bf16_tflops, "fp16": self.fp16_tflops, "fp32": self._fp32(precision.matmul)}
        found = peak.get(precision.name)
        return None if found is None else found * _TERA

    def _fp32(self, matmul: str) -> float:
        """Products of 32-bit numbers are TF32's where that is allowed, with ``medium`` too, and the device has it."""
        return self.fp32_tflops if matmul == "highest" or self.tf32_tflops is None else self.tf32_tflops


_Peak = float | None


def _gpu(*names: str, tflops: tuple[float, _Peak, _Peak, _Peak], gb_per_s: float, source: str) -> DeviceRates:
    """Args: ``tflops``: in fp32, TF32, bf16 and fp16."""
    fp32, tf32, bf16, fp16 = tflops
    return DeviceRates(
        names=names,
        fp32_tflops=fp32,
        tf32_tflops=tf32,
        bf16_tflops=bf16,
        fp16_tflops=fp16,
        memory_gb_per_s=gb_per_s,
        source=source,
    )


_AMPERE = f"{_NVIDIA}content/PDF/nvidia-ampere-ga-102-gpu-architecture-whitepaper-v2.pdf"
_ADA = f"{_PAPERS}Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf"
_BLACKWELL = f"{_PAPERS}Solutions/geforce/blackwell/nvidia-rtx-blackwell-gpu-architecture.pdf"
_A100 = f"{_PAPERS}en-zz/Solutions/data-center/nvidia-ampere-architecture-whitepaper.pdf"
_T4 = f"{_NVIDIA}content/dam/en-zz/Solutions/Data-Center/tesla-t4/t4-tensor-core-datasheet-951643.pdf"

RATES = (
    _gpu("NVIDIA GeForce RTX 3090", tflops=(35.6, 35.6, 71.0, 71.0), gb_per_s=936, source=_AMPERE),
    _gpu("NVIDIA GeForce RTX 4090", tflops=(82.6, 82.6, 165.2, 165.2), gb_per_s=1008, source=_ADA),
    _gpu("NVIDIA GeForce RTX 5090", tflops=(104.8, 104.8, 209.5, 209.5), gb_per_s=1792, source=_BLACKWELL),
    _gpu("Tesla T4", tflops=(8.1, None, None, 65.0), gb_per_s=320, source=_T4),
    _gpu("NVIDIA L4", tflops=(30.3, 60.0, 121.0, 121.0), gb_per_s=300, source=f"{_CENTER}l4/"),
    _gpu("NVIDIA A10", tflops=(31.2, 62.5, 125.0, 125.0), gb_per_s=600, source=f"{_CENTER}products/a10-gpu/"),
    _gpu("NVIDIA A40", tflops=(37.4, 74.8, 149.7, 149.7), gb_per_s=696, source=f"{_CENTER}a40/"),
    _gpu("NVIDIA RTX A6000", tflops=(38.7, 77.4, 154.8, 154.8), gb_per_s=768, source=_AMPERE),
    _gpu("NVIDIA L40S", tflops=(91.6, 183.0, 362.05, 362.05), gb_per_s=864, source=f"{_CENTER}l40s/"),
    _gpu(
        "Tesla V100-PCIE-16GB",
        "Tesla V100-PCIE-32GB",
        tflops=(14.0, None, None, 112.0),
        gb_per_s=900,
        source=f"{_CENTER}v100/",
    ),
    _gpu(
        "Tesla V100-SXM2-16GB",
        "Tesla V100-SXM2-32GB",
        tflops=(15.7, None, None, 125.0),
        gb_per_s=900,
        source=f"{_CENTER}v100/",
    ),
    _gpu(
        "NVIDIA A100-SXM4-40GB",
        "NVIDIA A100-PCIE-40GB",
        tflops=(19.5, 156.0, 312.0, 312.0),
        gb_per_s=1555,
        source=_A100,
    ),
    _gpu("NVIDIA A100 80GB PCIe", tflops=(19.5, 156.0, 312.0, 312.0), gb_per_s=1935, source=f"{_CENTER}a100/"),
    _gpu("NVIDIA A100-SXM4-80GB", tflops=(19.5, 156.0, 312.0, 312.0), gb_per_s=2039, source=f"{_CENTER}a100/"),
    _gpu("NVIDIA H100 PCIe", tflops=(51.0, 378.0, 756.5, 756.5), gb_per_s=2000, source=f"{_CENTER}h100/"),
    _gpu("NVIDIA H100 80GB HBM3", tflops=(67.0, 494.5, 989.5, 989.5), gb_per_s=3350, source=f"{_CENTER}h100/"),
    _gpu("NVIDIA H200", tflops=(67.0, 494.5, 989.5, 989.5), gb_per_s=4800, source=f"{_CENTER}h200/"),
)
"""GPUs whose peaks are known."""
_BY_NAME = {name: rates for rates in RATES for name in rates.names}


def known_rates(device_name: str) -> DeviceRates | None:
    """The peaks of a device; None of one that is not in the table.

    Args:
        device_name: As torch or NVML gives it.
    """
    return _BY_NAME.get(device_name)


def rates_table() -> str:
    """The table in Markdown: device, peaks in TFLOP/s, memory bandwidth in GB/s."""
    rows = [
        "| device | fp32 | TF32 | bf16 | fp16 | memory (GB/s) | by |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for rates in RATES:
        peaks = (rates.fp32_tflops, rates.tf32_tflops, rates.bf16_tflops, rates.fp16_tflops)
        shown = " | ".join("-" if peak is None else rounded(peak) for peak in peaks)
        names = ", ".join(name.removeprefix("NVIDIA ") for name in rates.names)
        rows.append(f"| {names} | {shown} | {rates.memory_gb_per_s:g} | [NVIDIA]({rates.source}) |")
    return "\n".join(rows)
