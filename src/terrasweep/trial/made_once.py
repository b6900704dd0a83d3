"""What is made once for many trials, and where it lies below ``results/.cache``. Imports no torch."""

from __future__ import annotations

from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.find.root_folders import tiles_folder
from terrasweep.machine.hardware import effective_device
from terrasweep.models.offload.extensions import are_compiled
from terrasweep.models.pretrained.synthetic import pretrained_file


def missing(config: TrialConfig) -> list[str]:
    """What has to be made before a trial of this configuration can start, as a person would name it."""
    wanted = []
    if config.data.name == "synthetic" and not (
        tiles_folder(config).is_dir() and stored.listing_file(config).is_file()
    ):
        wanted.append("synthetic tiles")
    if config.backbone.checkpoint == "synthetic" and not pretrained_file(config).is_file():
        wanted.append(f"{config.backbone.name} pretrained on a second synthetic domain")
    if stored.needs_survey(config) and not stored.survey_file(config).is_file():
        wanted.append("a look at the data")
    if config.offload.name == "nvme" and not are_compiled(effective_device(config.train.device)):
        wanted.append("DeepSpeed's asynchronous I/O (compiling takes minutes)")
    return wanted
