"""The folder that a trial with ``offload=nvme`` writes to: its own, gone when the trial has ended, however it ended."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.machine.paths import absolute
from terrasweep.machine.process_identity import is_alive, is_owner, short_name

_PREFIX = "terrasweep-"


@contextmanager
def own_nvme_folder(config: TrialConfig) -> Iterator[TrialConfig]:
    """The configuration with ``offload.nvme_path`` in a folder of the trial's; unchanged for other offloads.

    What trials of killed sweeps left on the same disk is removed first.
    """
    if config.offload.name != "nvme" or config.offload.nvme_path is None:
        yield config
        return
    disk = absolute(config.offload.nvme_path)
    _remove_abandoned(disk)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{short_name()}-", dir=disk))
    try:
        yield replace(config, offload=replace(config.offload, nvme_path=str(folder)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(disk: Path) -> None:
    for folder in disk.glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).rpartition("-")[0]
        if is_owner(owner) and not is_alive(owner):
            shutil.rmtree(folder, ignore_errors=True)
