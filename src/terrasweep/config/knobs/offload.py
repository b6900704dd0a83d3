"""What leaves the device while it is not needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from terrasweep.config.exclusions import UNSET, Exclusion
from terrasweep.config.given_paths import is_folder
from terrasweep.config.knobs.knob import COST, EVERYTHING, SPEED, Knob, Stage
from terrasweep.machine.paths import absolute

ZERO = ("optimizer", "parameters", "nvme")
"""Offloads that DeepSpeed's ZeRO does; the others are torch's own."""


@dataclass(frozen=True, kw_only=True)
class OffloadConfig:
    """What leaves the device while it is not needed."""

    name: str = MISSING
    """``none``; ``activations`` (saved tensors on the host between forward and backward); ``optimizer`` (ZeRO-2, its
    state on the host); ``parameters`` (ZeRO-3, parameters too); ``nvme`` (ZeRO-3, both on a disk)."""
    nvme_path: str | None = None
    """``nvme``: a folder on the disk; the others have no use for it."""
    deepspeed_config: str | None = None
    """A DeepSpeed JSON file whose settings win over terrasweep's; of use to ZeRO's offloads alone."""

    @property
    def zero_stage(self) -> int | None:
        """ZeRO's stage; None where the offload is none of ZeRO's."""
        return {"optimizer": 2, "parameters": 3, "nvme": 3}.get(self.name)


def find_absent_files(offload: OffloadConfig) -> Iterator[str]:
    """One line per folder that is not there. DeepSpeed's file is read in models/offload/deepspeed_settings.py."""
    nvme = offload.nvme_path
    if nvme is not None and not (is_folder(absolute(nvme)) and os.access(absolute(nvme), os.W_OK)):
        yield f"offload.nvme_path={nvme}: there is no such folder that can be written; give an existing one"


KNOB = Knob(
    group="offload",
    settings=OffloadConfig,
    find_absent_files=find_absent_files,
    exclusions=(
        Exclusion(
            *("offload.nvme_path", UNSET, "offload.name", ("nvme",)),
            "there is no disk to offload to",
            "set offload.nvme_path to a folder on one",
        ),
    ),
    transforms={Stage.OFFLOAD: "terrasweep.models.offload.apply:offload_model"},
    off="none",
    bears_on={"name": COST, "nvme_path": {SPEED}, "deepspeed_config": EVERYTHING},
    why={
        "name": "the same numbers lie elsewhere; DeepSpeed sums and steps in another order",
        "nvme_path": "the same numbers lie on another disk",
        "deepspeed_config": "a file may hold anything, gradient clipping too",
    },
    rounding={"name": lambda name: name if name in ZERO else None},
)
