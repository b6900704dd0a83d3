"""Gradient checkpointing: activations that are computed again instead of kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from terrasweep.config.exclusions import SET, UNSET, AllBut, Exclusion
from terrasweep.config.knobs.knob import COST, Knob, Stage


@dataclass(frozen=True, kw_only=True)
class CheckpointingConfig:
    """Gradient checkpointing (Chen et al. 2016)."""

    name: str = MISSING
    """``none``, ``blocks`` or ``every_n``."""
    every: int | None = None
    """``every_n``: one block of so many is checkpointed, the first of each group; at least 1."""


def find_bad_values(checkpointing: CheckpointingConfig) -> Iterator[str]:
    """One line per value that is wrong whatever the other knobs are."""
    if checkpointing.every is not None and checkpointing.every < 1:
        yield f"checkpointing.every={checkpointing.every}: it must be at least 1"


KNOB = Knob(
    group="checkpointing",
    settings=CheckpointingConfig,
    find_bad_values=find_bad_values,
    exclusions=(
        Exclusion(
            *("checkpointing.every", SET, "checkpointing.name", AllBut(("every_n",))),
            "no block is left out",
            "drop checkpointing.every or use checkpointing=every_n",
        ),
        Exclusion(
            *("checkpointing.every", UNSET, "checkpointing.name", ("every_n",)),
            "the distance of the blocks is missing",
            "use for example checkpointing.every=2",
        ),
    ),
    transforms={Stage.CHECKPOINT: "terrasweep.models.transforms.checkpointing:checkpoint_blocks"},
    off="none",
    bears_on={"name": COST, "every": COST},
    why=dict.fromkeys(("name", "every"), "the same activations are computed twice, from the same random state"),
)
