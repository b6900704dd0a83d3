"""What runs in a child for many predictions: it forks processes that have its imports, and hands out the work."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from terrasweep.config.schema import TrialConfig
from terrasweep.machine import startup
from terrasweep.predict.in_child import predict
from terrasweep.process.child import Report

Family = Sequence[tuple[int, TrialConfig]]
"""Configurations that differ in the batch alone, with their places."""


def predict_families(report: Report, families: Sequence[Family], device: str, processes: int) -> None:
    """Predict families beside each other, and report each as soon as it is there, as :func:`predict` does.

    Args:
        report: Takes ``predictions`` and ``refused`` by place.
        families: Each is one process's: what lies between its traces needs none of its own.
        device: ``cpu`` or ``cuda``; none is needed.
        processes: How many at once.
    """
    startup.hide_gpus()
    if processes == 1:
        for family in families:
            report(**predict_family(family, device))
        return
    import terrasweep.predict.peak_memory  # noqa: F401 - imported once, for all that are forked

    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        asked = {pool.submit(predict_family, family, device): family for family in families}
        for answered in as_completed(asked):
            try:
                report(**answered.result())
            except BrokenProcessPool as error:  # The kernel has ended one, for want of memory, say.
                report(
                    refused={place: f"a process ended before it had an answer: {error}" for place, _ in asked[answered]}
                )


def predict_family(family: Family, device: str) -> dict[str, dict[int, Any]]:
    """What :func:`predict` reports of a family, by the configurations' own places."""
    collected: dict[str, dict[int, Any]] = {}

    def collect(**content: dict[int, Any]) -> None:
        for name, by_number in content.items():
            places = {family[number][0]: answer for number, answer in by_number.items()}
            collected.setdefault(name, {}).update(places)

    predict(collect, [config for _, config in family], device)
    return collected
