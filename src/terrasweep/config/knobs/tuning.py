"""Which of the backbone's parameters learn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from terrasweep.config.exclusions import SET, UNSET, AllBut, Exclusion, Values
from terrasweep.config.knobs.knob import EVERYTHING, QUALITY, Knob, Stage
from terrasweep.config.knobs.quantization import LOW_BIT
from terrasweep.results.wording import nearest

TARGET_PRESETS = ("qv", "attention", "mlp", "attention_mlp")
FROZEN_DTYPES = ("fp32", "bf16")
INITIALISATIONS = ("default", "pissa", "loftq", "eva")
CHANGE_WHAT_IS_FROZEN = ("pissa", "loftq")
"""Starts that hand a part of the frozen weights to the adapter."""


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """Which of the backbone's parameters learn; decoder and head always do."""

    name: str = MISSING
    """``full``, ``lora`` (Hu et al. 2021) or ``frozen``."""
    rank: int | None = None
    """Width of the update, at least 1."""
    targets: Any = None
    """``qv``, ``attention``, ``mlp``, ``attention_mlp``, or a list of layer names."""
    alpha_ratio: float = 2.0
    """LoRA's alpha over its rank: the update is scaled by it."""
    dropout: float = 0.0
    use_dora: bool = False
    """Learn magnitude and direction apart (DoRA, Liu et al. 2024)."""
    use_rslora: bool = False
    """Scale by alpha over the root of the rank (rsLoRA, Kalajdzievski 2023)."""
    frozen_dtype: str = "fp32"
    """What is frozen and not quantized is stored in: ``fp32`` or ``bf16``. It computes as ``precision`` says."""
    unfreeze_last: int = 0
    """How many of the backbone's last transformer blocks learn as a whole beside the frozen rest; 0: none."""
    initialisation: str = "default"
    """Where an adapter starts: ``default`` at nothing (Hu et al. 2021), ``pissa`` at the principal components of the
    weight, whose rest is frozen (Meng et al. 2024), ``loftq`` at what quantization took away (Li et al. 2023), or
    ``eva`` at nothing, looking along the principal components of what comes in (Paischer et al. 2024)."""


def find_bad_values(tuning: TuningConfig) -> Iterator[str]:
    """One line per value that is wrong whatever the other knobs are."""
    if tuning.rank is not None and tuning.rank < 1:
        yield f"tuning.rank={tuning.rank}: it must be at least 1"
    if not tuning.alpha_ratio > 0:
        yield f"tuning.alpha_ratio={tuning.alpha_ratio}: it must be above 0"
    if not 0.0 <= tuning.dropout < 1.0:
        yield f"tuning.dropout={tuning.dropout}: it is a probability; use a value in [0, 1)"
    if tuning.frozen_dtype not in FROZEN_DTYPES:
        yield f"tuning.frozen_dtype={tuning.frozen_dtype}: unknown; {nearest(tuning.frozen_dtype, FROZEN_DTYPES)}"
    if tuning.unfreeze_last < 0:
        yield f"tuning.unfreeze_last={tuning.unfreeze_last}: it counts blocks; use 0 or more"
    if tuning.initialisation not in INITIALISATIONS:
        chosen = tuning.initialisation
        yield f"tuning.initialisation={chosen}: unknown; {nearest(chosen, INITIALISATIONS)}"
    yield from _targets(tuning.targets)


def _targets(targets: object) -> Iterator[str]:
    if targets is None:
        return
    if isinstance(targets, str):
        if targets not in TARGET_PRESETS:
            yield (
                f"tuning.targets={targets}: unknown preset; {nearest(targets, TARGET_PRESETS)} "
                "(a list, like [attn.qkv], names layers)"
            )
    elif not isinstance(targets, list) or not targets or not all(isinstance(name, str) for name in targets):
        yield f"tuning.targets={targets}: it names no layer; use {', '.join(TARGET_PRESETS)}, or a list of layer names"


_OF_LORA: dict[str, Values] = {
    "tuning.rank": SET,
    "tuning.targets": SET,
    "tuning.use_dora": (True,),
    "tuning.use_rslora": (True,),
    "tuning.initialisation": INITIALISATIONS[1:],
}

KNOB = Knob(
    group="tuning",
    settings=TuningConfig,
    find_bad_values=find_bad_values,
    exclusions=(
        Exclusion(
            *("tuning.rank", UNSET, "tuning.name", ("lora",)),
            "an adapter needs a rank",
            "use for example tuning.rank=8",
        ),
        Exclusion(
            *("tuning.targets", UNSET, "tuning.name", ("lora",)),
            "an adapter needs a place",
            "use for example tuning.targets=mlp",
        ),
        *(
            Exclusion(
                *(key, values, "tuning.name", AllBut(("lora",))),
                "nothing is adapted",
                f"drop {key} or use tuning=lora",
            )
            for key, values in _OF_LORA.items()
        ),
        Exclusion(
            *("tuning.use_dora", (True,), "offload.name", ("parameters", "nvme")),
            "PEFT's DoRA unpacks low-bit weights behind ZeRO-3's back",
            "use offload=optimizer, or quantization=none",
            ("quantization.name", LOW_BIT),
        ),
        Exclusion(
            *("tuning.frozen_dtype", ("bf16",), "tuning.name", ("full",)),
            "nothing is frozen",
            "drop tuning.frozen_dtype or use tuning=lora or frozen",
        ),
        Exclusion(
            *("tuning.frozen_dtype", ("bf16",), "offload.name", ("nvme",)),
            "DeepSpeed reads 16-bit weights back from a disk as 32-bit numbers",
            "use offload=parameters, or tuning.frozen_dtype=fp32",
        ),
        Exclusion(
            *("tuning.unfreeze_last", AllBut((0,)), "tuning.name", ("full",)),
            "every block learns",
            "drop tuning.unfreeze_last or use tuning=lora or frozen",
        ),
        Exclusion(
            *("tuning.initialisation", ("loftq",), "quantization.name", ("none",)),
            "it starts at what quantization took away",
            "use quantization=nf4, or tuning.initialisation=pissa",
        ),
    ),
    transforms={
        Stage.SPLIT: "terrasweep.models.transforms.adapters:split_targets",
        Stage.ADAPT: "terrasweep.models.transforms.adapters:tune",
        Stage.STORE: "terrasweep.models.transforms.frozen_storage:store_frozen",
    },
    off="full",
    names_no_module=("frozen",),
    bears_on={
        "name": EVERYTHING,
        "rank": EVERYTHING,
        "targets": EVERYTHING,
        "alpha_ratio": {QUALITY},
        "use_rslora": {QUALITY},
        "dropout": EVERYTHING,
        "use_dora": EVERYTHING,
        "frozen_dtype": EVERYTHING,
        "unfreeze_last": EVERYTHING,
        "initialisation": {QUALITY},
    },
    why={
        **dict.fromkeys(("alpha_ratio", "use_rslora"), "a factor of the same product"),
        "dropout": "without it PEFT has no layer for it, with it a mask is drawn and kept",
        "initialisation": "the same shapes and kernels from another start, found in less memory than a step needs",
    },
)
