"""What runs in the child of ``terrasweep plan``: a look at the weights that are here, and the plan."""

from __future__ import annotations

from dataclasses import replace

from terrasweep.config.schema import TrialConfig
from terrasweep.machine.paths import absolute
from terrasweep.models.misfits import find_misfits
from terrasweep.predict import in_child
from terrasweep.process.child import Report
from terrasweep.results.errors import InvalidConfig


def plan(report: Report, config: TrialConfig) -> None:
    """Report the plan of a configuration, whose checkpoint fits the model by names and shapes where it is a file here.

    Raises:
        InvalidConfig: The checkpoint is of another model, or the model can't be built.
    """
    checkpoint = config.backbone.checkpoint
    if checkpoint is not None and absolute(checkpoint).is_file():
        lines: list[str] = []
        # Weights from the Hub are none of a plan's.
        local = replace(config, backbone=replace(config.backbone, pretrained=False))
        find_misfits(lambda misfits: lines.extend(misfits), [[(local, ())]])
        if lines:
            raise InvalidConfig("\n".join(lines))
    in_child.plan(report, config)
