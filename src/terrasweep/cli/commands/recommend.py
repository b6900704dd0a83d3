"""``terrasweep recommend STUDY``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from terrasweep.cli.commands.arguments import Study
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import open_existing


def command(
    study: Study,
    memory_gib: Annotated[float | None, typer.Option(help="At most this much memory, in GiB.")] = None,
    min_throughput: Annotated[float | None, typer.Option(help="At least this many samples per second.")] = None,
    min_accuracy: Annotated[float | None, typer.Option(help="At least this accuracy.")] = None,
) -> None:
    """Print the most accurate configuration within limits, as YAML: save it as best.yaml, and sweep.py can run it."""
    from terrasweep.report import lines_beside, recommend, recommended_yaml
    from terrasweep.report.study_outcome import summarize

    folder = open_existing(study)
    result = recommend(
        folder.known,
        folder.results(),
        folder.path,
        memory_gib=memory_gib,
        min_throughput=min_throughput,
        min_accuracy=min_accuracy,
    )
    device = None if memory_gib is None else _processor(folder.results() if result is None else [result])
    doubt = device and f"measured on {device}; memory on a GPU differs: it is what torch's allocator reserves there"
    if result is None:
        seen = f" ({doubt})" if doubt else ""
        raise InvalidConfig(f"study {study}: no complete trial is within these limits{seen}; loosen one of them")
    if doubt:
        typer.echo(f"warning: {doubt}; measure it there before you rely on --memory-gib", err=True)
    outcome = summarize(folder.known, folder.results(), folder.path)
    beside = lines_beside(result, outcome.baselines, outcome.objectives, outcome.alike)
    typer.echo(recommended_yaml(folder.known, result, "python sweep.py --config-dir . --config-name best", beside))


def _processor(results: Sequence[TrialResult]) -> str | None:
    """The CPU that a complete trial of these was measured on, None where all were on a GPU."""
    on_cpu = (
        result.device or "a CPU"
        for result in results
        if result.state is State.COMPLETE and result.value("peak_allocated_mib") is None
    )
    return next(on_cpu, None)
