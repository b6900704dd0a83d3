"""Jobs of submitit's launchers, each by itself: one that was killed takes nothing from the others of its batch.

The launchers ask one job after the other for its result, and the first that has none, since Slurm ended it or its node
failed, raises: what comes after it would be lost, although it still runs.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from terrasweep.results.errors import first_line
from terrasweep.study.launch import NotLaunched


@contextlib.contextmanager
def each_job_by_itself(launcher: Mapping[str, Any]) -> Iterator[None]:
    """Within it, a job that submitit's launchers get no result of counts as a job that failed.

    Args:
        launcher: The settings of Hydra's launcher; with another one nothing is changed.
    """
    if "submitit" not in str(launcher.get("_target_", "")):
        yield
        return
    submitit: Any = importlib.import_module("submitit")
    shipped = submitit.AutoExecutor

    class Executor(shipped):  # type: ignore[misc, valid-type]
        """Submits as the shipped one does."""

        def map_array(self, *arguments: Any) -> list[_Job]:
            """The jobs of a batch, in their order."""
            return [_Job(job) for job in super().map_array(*arguments)]

    submitit.AutoExecutor = Executor  # The launcher looks it up when it submits.
    try:
        yield
    finally:
        submitit.AutoExecutor = shipped


class _Job:
    """One job, as far as a launcher uses it."""

    def __init__(self, job: Any) -> None:
        self._job = job

    def results(self) -> list[JobReturn]:
        """What the job's tasks returned; waits for it."""
        try:
            returned: list[JobReturn] = self._job.results()
        except Exception as error:  # noqa: BLE001 - whatever submitit makes of a job that was killed
            lost = NotLaunched(f"{type(error).__name__}: {first_line(error)}")
            return [JobReturn(status=JobStatus.FAILED, _return_value=lost)]
        return returned
