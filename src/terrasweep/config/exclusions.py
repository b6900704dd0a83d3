"""The pairs of knobs that exclude each other, and why. docs/knobs.md shows them as a table. Imports no torch."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from terrasweep.config.knobs import EIGHT_BIT_OPTIMIZERS, FOUR_BIT, LOW_BIT, ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import effective_device


class Presence(enum.Enum):
    """A condition on whether a key is set, whatever its value."""

    SET = "set"
    UNSET = "not set"


@dataclass(frozen=True)
class AllBut:
    """Every value but these."""

    values: tuple[Any, ...]


Values = tuple[Any, ...] | Presence | AllBut


@dataclass(frozen=True)
class Exclusion:
    """Two knobs that can't be had together, always or while a third one is as said."""

    key: str
    values: Values
    other_key: str
    other_values: Values
    reason: str
    way_out: str
    third: tuple[str, Values] | None = None

    @property
    def knobs(self) -> list[tuple[str, Values]]:
        """The keys and their values that don't go together."""
        return [(self.key, self.values), (self.other_key, self.other_values), *([self.third] if self.third else [])]

    def violated(self, config: TrialConfig) -> bool:
        """Whether a configuration has all of them."""
        return all(_among(_look_up(config, key), values) for key, values in self.knobs)

    def line(self, config: TrialConfig) -> str:
        """The violation as a person reads it."""
        knobs = (f"{_shown(key)}={_text(_look_up(config, key))}" for key, _ in self.knobs)
        return f"{' with '.join(knobs)}: {self.reason}; {self.way_out}"


_SET, _UNSET = Presence.SET, Presence.UNSET
_NO_LORA = AllBut(("lora",))
_OF_LORA: dict[str, Values] = {
    "tuning.rank": _SET,
    "tuning.targets": _SET,
    "tuning.use_dora": (True,),
    "tuning.use_rslora": (True,),
}

EXCLUSIONS: tuple[Exclusion, ...] = (
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
        *("quantization.skip", _SET, "quantization.name", ("none",)),
        "nothing is quantized that could be skipped",
        "drop quantization.skip or use quantization=nf4",
    ),
    Exclusion(
        *("quantization.skip", ("auto",), "quantization.skip_count", _UNSET),
        "it keeps a given number of layers",
        "set quantization.skip_count, for example to a tenth of the layers",
    ),
    Exclusion(
        *("quantization.skip_count", _SET, "quantization.skip", AllBut(("auto",))),
        "the count belongs to skip=auto",
        "use quantization.skip=auto or drop quantization.skip_count",
    ),
    Exclusion(
        *("tuning.rank", _UNSET, "tuning.name", ("lora",)),
        "an adapter needs a rank",
        "use for example tuning.rank=8",
    ),
    Exclusion(
        *("tuning.targets", _UNSET, "tuning.name", ("lora",)),
        "an adapter needs a place",
        "use for example tuning.targets=mlp",
    ),
    *(
        Exclusion(
            *(key, values, "tuning.name", _NO_LORA),
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
        *("quantization.name", LOW_BIT, "offload.name", ("nvme",)),
        "DeepSpeed reads low-bit weights back from a disk as 32-bit numbers",
        "use offload=parameters, or quantization=none",
    ),
    Exclusion(
        *("checkpointing.every", _SET, "checkpointing.name", AllBut(("every_n",))),
        "no block is left out",
        "drop checkpointing.every or use checkpointing=every_n",
    ),
    Exclusion(
        *("checkpointing.every", _UNSET, "checkpointing.name", ("every_n",)),
        "the distance of the blocks is missing",
        "use for example checkpointing.every=2",
    ),
    Exclusion(
        *("precision.name", ("fp16",), "device", ("cpu",)),
        "Lightning would silently train in bf16 on a CPU",
        "use precision=bf16, or a CUDA device",
    ),
    Exclusion(
        *("precision.name", ("fp16",), "offload.name", ZERO),
        "DeepSpeed would cast the parameters themselves to fp16",
        "use precision=bf16, or offload=activations",
    ),
    Exclusion(
        *("optimizer.name", EIGHT_BIT_OPTIMIZERS, "offload.name", ZERO),
        "ZeRO keeps the optimizer's state in 32 bits on the host",
        "use optimizer=adamw, or another offload",
    ),
    Exclusion(
        *("optimizer.implementation", _SET, "optimizer.name", EIGHT_BIT_OPTIMIZERS),
        "bitsandbytes has one implementation",
        "drop optimizer.implementation or use optimizer=adamw",
    ),
    Exclusion(
        *("optimizer.min_8bit_size", _SET, "optimizer.name", ("adamw",)),
        "its state has 32 bits",
        "drop optimizer.min_8bit_size or use optimizer=adamw8bit",
    ),
    Exclusion(
        *("optimizer.implementation", _UNSET, "optimizer.name", ("adamw",)),
        "torch would choose one by itself",
        "use optimizer.implementation=fused, foreach or loop",
    ),
    Exclusion(
        *("optimizer.min_8bit_size", _UNSET, "optimizer.name", EIGHT_BIT_OPTIMIZERS),
        "the size from which on states have 8 bits is missing",
        "use for example optimizer.min_8bit_size=4096",
    ),
    Exclusion(
        *("offload.nvme_path", _UNSET, "offload.name", ("nvme",)),
        "there is no disk to offload to",
        "set offload.nvme_path to a folder on one",
    ),
)
"""Every pair that excludes another."""


def exclusions_table() -> str:
    """The exclusions as a Markdown table."""
    rows = (
        f"| {_knob(*e.knobs[0])} | {', with '.join(_knob(*knob) for knob in e.knobs[1:])} | {e.reason} | {e.way_out} |"
        for e in EXCLUSIONS
    )
    return "\n".join(("| knob | excludes | because | way out |", "| --- | --- | --- | --- |", *rows))


def _look_up(config: TrialConfig, key: str) -> Any:
    if key == "device":
        return effective_device(config.train.device)
    section, _, field = key.partition(".")
    return getattr(getattr(config, section), field)


def _among(value: Any, values: Values) -> bool:
    if isinstance(values, Presence):
        return (value is None or value == []) == (values is Presence.UNSET)
    if isinstance(values, AllBut):
        return value not in values.values
    return value in values


def _knob(key: str, values: Values) -> str:
    return f"`{_shown(key)}` {_condition(values)}"


def _shown(key: str) -> str:
    return "train.device" if key == "device" else key.removesuffix(".name")


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _condition(values: Values) -> str:
    if isinstance(values, Presence):
        return values.value
    if isinstance(values, AllBut):
        return f"all but {_condition(values.values)}"
    return ", ".join(f"`{_text(value)}`" for value in values)
