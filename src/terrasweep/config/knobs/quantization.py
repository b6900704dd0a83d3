"""Low-bit storage of the frozen backbone's linear layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from terrasweep.config.exclusions import SET, UNSET, AllBut, Exclusion
from terrasweep.config.knobs.knob import EVERYTHING, Knob, Stage
from terrasweep.results.wording import nearest

FOUR_BIT = ("fp4", "nf4", "nf4_double")
LOW_BIT = ("int8", *FOUR_BIT)
COMPUTE_DTYPES = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True, kw_only=True)
class QuantizationConfig:
    """Low-bit storage of the frozen backbone's linear layers, by bitsandbytes."""

    name: str = MISSING
    """``none``, ``int8`` (Dettmers et al. 2022), ``fp4``, ``nf4`` or ``nf4_double`` (Dettmers et al. 2023)."""
    compute_dtype: str = "auto"
    """What a 4-bit weight is unpacked to for a product: ``auto`` (as ``precision``), ``fp32``, ``bf16`` or ``fp16``."""
    skip: Any = field(default_factory=list)
    """Layers kept in full precision: dotted names of modules, or runs of their parts, like ``blocks.1`` or ``attn``;
    or ``auto``: those whose quantization changes the model's output most."""
    skip_count: int | None = None
    """How many layers ``skip=auto`` keeps, at least 1."""


def find_bad_values(quantization: QuantizationConfig) -> Iterator[str]:
    """One line per value that is wrong whatever the other knobs are."""
    skip, dtype, count = quantization.skip, quantization.compute_dtype, quantization.skip_count
    if count is not None and count < 1:
        yield f"quantization.skip_count={count}: it must be at least 1"
    if dtype not in COMPUTE_DTYPES:
        yield f"quantization.compute_dtype={dtype}: unknown; {nearest(dtype, COMPUTE_DTYPES)}"
    if skip != "auto" and not (isinstance(skip, list) and all(isinstance(name, str) for name in skip)):
        yield f"quantization.skip={skip}: it names no layers; use auto, or a list of names like [blocks.0]"


KNOB = Knob(
    group="quantization",
    settings=QuantizationConfig,
    find_bad_values=find_bad_values,
    exclusions=(
        Exclusion(
            *("quantization.name", LOW_BIT, "tuning.name", ("full",)),
            "low-bit weights take no gradient",
            "use tuning=lora or quantization=none",
        ),
        Exclusion(
            *("quantization.compute_dtype", ("fp32", "bf16", "fp16"), "quantization.name", AllBut(FOUR_BIT)),
            "only 4-bit weights are unpacked to a type of choice",
            "drop quantization.compute_dtype or use quantization=nf4",
        ),
        Exclusion(
            *("quantization.compute_dtype", ("fp16",), "device", ("cpu",)),
            "a CPU has no arithmetic of its own for it",
            "use quantization.compute_dtype=bf16 or auto",
        ),
        Exclusion(
            *("quantization.skip", SET, "quantization.name", ("none",)),
            "nothing is quantized that could be skipped",
            "drop quantization.skip or use quantization=nf4",
        ),
        Exclusion(
            *("quantization.skip", ("auto",), "quantization.skip_count", UNSET),
            "it keeps a given number of layers",
            "set quantization.skip_count, for example to a tenth of the layers",
        ),
        Exclusion(
            *("quantization.skip_count", SET, "quantization.skip", AllBut(("auto",))),
            "the count belongs to skip=auto",
            "use quantization.skip=auto or drop quantization.skip_count",
        ),
        Exclusion(
            *("quantization.name", LOW_BIT, "offload.name", ("nvme",)),
            "DeepSpeed reads low-bit weights back from a disk as 32-bit numbers",
            "use offload=parameters, or quantization=none",
        ),
    ),
    transforms={Stage.QUANTIZE: "terrasweep.models.transforms.quantization:apply_quantization"},
    off="none",
    bears_on={
        "name": EVERYTHING,
        "compute_dtype": EVERYTHING,
        "skip": EVERYTHING,
        "skip_count": EVERYTHING,
    },
)
