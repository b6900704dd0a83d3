"""``terrasweep recommend STUDY``."""

from __future__ import annotations

from typing import Annotated

import typer

from terrasweep.cli.commands.arguments import Study
from terrasweep.results.errors import InvalidConfig
from terrasweep.study.folder import open_existing


def command(
    study: Study,
    memory_gib: Annotated[float | None, typer.Option(help="At most this much memory, in GiB.")] = None,
    min_throughput: Annotated[float | None, typer.Option(help="At least this many samples per second.")] = None,
    min_accuracy: Annotated[float | None, typer.Option(help="At least this accuracy.")] = None,
) -> None:
    """Print the most accurate configuration within limits, as YAML: save it as best.yaml, and sweep.py can run it."""
    from terrasweep.report import recommend, recommended_yaml

    folder = open_existing(study)
    result = recommend(
        folder.known,
        folder.results(),
        memory_gib=memory_gib,
        min_throughput=min_throughput,
        min_accuracy=min_accuracy,
    )
    if result is None:
        raise InvalidConfig(f"study {study}: no complete trial is within these limits; loosen one of them")
    typer.echo(recommended_yaml(folder.known, result, "python sweep.py --config-dir . --config-name best"))
