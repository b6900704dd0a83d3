"""What a trial needs and many trials share: made once, cached, and never under a trial's deadline."""

from __future__ import annotations

import os
import sys
import time

from terrasweep import process
from terrasweep.config import TrialConfig
from terrasweep.errors import DataError
from terrasweep.ownership import locked
from terrasweep.project import cache_folder


def prepare(config: TrialConfig) -> float:
    """Write synthetic tiles, pretrain the synthetic backbone and compute band statistics, where they are missing.

    Returns:
        The seconds it took.

    Raises:
        TerrasweepError: It failed.
    """
    from terrasweep.data import cache

    started = time.perf_counter()
    missing = cache.missing(config)
    if missing:
        with locked(cache_folder() / ".lock"):  # One process makes it, the others wait.
            if cache.missing(config):
                _make(config, missing)
    return time.perf_counter() - started


def _make(config: TrialConfig, missing: list[str]) -> None:
    print(f"Preparing once: {', '.join(missing)} ...", file=sys.stderr, flush=True)
    log = cache_folder() / f"prepare-{os.getpid()}.log"
    outcome = process.run("terrasweep.stages:prepare", {"config": config}, log, process.Limits())
    if outcome.error is not None:
        raise DataError(f"{', '.join(missing)} can't be prepared: {outcome.error}; see {log}") from outcome.error
    log.unlink(missing_ok=True)
