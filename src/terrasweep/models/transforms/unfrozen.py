"""Which of a backbone's blocks learn as a whole beside its frozen rest."""

from __future__ import annotations

from torch import nn

from terrasweep.config.knobs.tuning import TuningConfig
from terrasweep.models.transforms.checkpointing import transformer_blocks
from terrasweep.results.errors import InvalidConfig


def unfrozen_blocks(encoder: nn.Module, tuning: TuningConfig) -> dict[str, nn.Module]:
    """The last ``tuning.unfreeze_last`` transformer blocks by name, found as for checkpointing; empty where none is.

    Raises:
        InvalidConfig: The backbone has fewer.
    """
    if tuning.unfreeze_last == 0:
        return {}
    blocks = transformer_blocks(encoder)
    if tuning.unfreeze_last > len(blocks):
        way_out = f"use at most {len(blocks)}" if blocks else "use 0"
        raise InvalidConfig(
            f"tuning.unfreeze_last={tuning.unfreeze_last}: the backbone has {len(blocks)} transformer blocks; {way_out}"
        )
    return dict(list(blocks.items())[-tuning.unfreeze_last :])
