"""How much a configuration asks for beyond the plainest one: of two equally good ones, the simpler is preferred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLAIN: Mapping[str, tuple[str, ...]] = {
    "quantization": ("none",),
    "checkpointing": ("none",),
    "offload": ("none",),
    "precision": ("fp32",),
    "optimizer": ("adamw",),
    "tuning": ("full", "frozen"),
}
"""Per knob the options that transform nothing: full-precision weights, all of them or none tuned, nothing computed
again, nothing moved."""


def complexity(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """What makes a configuration less simple, the weightiest first; the less, the simpler.

    Args:
        config: A trial's resolved configuration; what is missing counts as plain.

    Returns:
        The number of knobs whose option transforms something (quantization, checkpointing, offload, mixed precision,
        an 8-bit optimizer, adapters), then the number of refinements that are set (frozen weights in 16 bits, an
        initialisation of adapters other than PEFT's, layers that are left out of quantization, DeepSpeed's own
        settings), then the rank of the adapters.
    """
    knobs = sum(_name(config, knob) not in (None, *plain) for knob, plain in PLAIN.items())
    tuning = _section(config, "tuning")
    refinements = (
        tuning.get("frozen_dtype") not in (None, "fp32"),
        tuning.get("initialisation") not in (None, "default"),
        bool(_section(config, "quantization").get("skip")),
        bool(_section(config, "offload").get("deepspeed_config")),
    )
    rank = tuning.get("rank")
    return knobs, sum(refinements), rank if isinstance(rank, int) else 0


def _name(config: Mapping[str, Any], knob: str) -> str | None:
    name = _section(config, knob).get("name")
    return None if name is None else str(name)


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}
