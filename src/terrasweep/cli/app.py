"""The ``terrasweep`` command: what is done before a sweep, and with a study after it."""

from __future__ import annotations

import os
import subprocess
import sys
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from terrasweep.config.bad_input import EXIT_BAD_INPUT, EXIT_NOTHING_COMPLETED
from terrasweep.machine import paths
from terrasweep.results.errors import InvalidConfig, TerrasweepError
from terrasweep.study.folder import open_existing

app = typer.Typer(
    help="Plans, data checks, reports, recommendations, exports, the MLflow UI. Sweeps run with `python sweep.py -m`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Study = Annotated[str, typer.Argument(help="Name of the study: its folder below results/.")]


@app.command()
def report(study: Study) -> None:
    """Write the report again from what is stored."""
    from terrasweep.report import write_report

    folder = open_existing(study)
    write_report(folder.path, folder.known, folder.results())
    typer.echo(folder.path / "report.html")


@app.command()
def recommend(
    study: Study,
    memory_gib: Annotated[float | None, typer.Option(help="At most this much memory, in GiB.")] = None,
    min_throughput: Annotated[float | None, typer.Option(help="At least this many samples per second.")] = None,
    min_accuracy: Annotated[float | None, typer.Option(help="At least this accuracy.")] = None,
) -> None:
    """Print the most accurate configuration within limits, as YAML: save it as best.yaml, and sweep.py can run it."""
    from terrasweep.report import recommend as choose
    from terrasweep.report import recommended_yaml

    folder = open_existing(study)
    result = choose(
        folder.known,
        folder.results(),
        memory_gib=memory_gib,
        min_throughput=min_throughput,
        min_accuracy=min_accuracy,
    )
    if result is None:
        raise InvalidConfig(f"study {study}: no complete trial is within these limits; loosen one of them")
    typer.echo(recommended_yaml(folder.known, result, "python sweep.py --config-dir . --config-name best"))


@app.command()
def export(
    study: Annotated[str, typer.Argument(help="Name of the study, or the folder of a single trial.")],
    number: Annotated[int | None, typer.Argument(help="The trial's number; for a single trial none.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder; default: results/STUDY/exported/NUMBER.")] = None,
) -> None:
    """Write a trained trial as a plain TerraTorch configuration with its weights, and say how to use it."""
    from terrasweep.export import parent as exporting

    trial = exporting.find_trial(study, number)
    typer.echo(f"Exporting {trial.title} ...", err=True)
    exported = exporting.export(trial, output)
    typer.echo(exporting.describe(trial, exported))


@app.command()
def plan(
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, as for sweep.py.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Print what a configuration needs in memory, with DeepSpeed's ZeRO and without; trains nothing, reads no data."""
    from terrasweep.cli import plan
    from terrasweep.cli.plan_tables import show

    config, found = plan.plan(overrides or [])
    if json:
        typer.echo(dumps(plan.as_json(config, found), indent=2))
    else:
        show(config, found)


@app.command()
def models(
    pattern: Annotated[
        str | None, typer.Argument(help="Part of a name, or a glob like 'timm_vit*'.", show_default=False)
    ] = None,
) -> None:
    """List the backbones to choose from: the prepared ones with their sizes, then every name in the registry."""
    from terrasweep.models.backbones.prepared import listing

    typer.echo(listing(pattern))


@app.command()
def check(
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, as for sweep.py.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all numbers and findings as JSON.")] = False,
) -> None:
    """Check a data set as a sweep does before it starts: splits, images, labels. Exits 2 where it finds an error."""
    from terrasweep.cli import check
    from terrasweep.cli.check_tables import show

    checked = check.check(overrides or [])
    if json:
        typer.echo(dumps(checked.as_json(), indent=2))
    else:
        show(checked.as_json())
    if checked.has_errors:
        raise typer.Exit(EXIT_BAD_INPUT)


@app.command()
def ui(
    uri: Annotated[str, typer.Option(help="MLflow tracking URI.")] = "sqlite:///mlflow.db",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5000,
) -> None:
    """Start the MLflow UI on this project's store, until Ctrl-C."""
    from terrasweep.study.mlflow_runs import absolute_uri, check_reachable

    check_reachable(uri)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", absolute_uri(uri)]
    artifacts = (paths.home() / "results" / ".mlflow").as_uri()
    command += ["--default-artifact-root", artifacts, "--host", host, "--port", str(port)]
    raise typer.Exit(subprocess.run(command, cwd=paths.home(), check=False).returncode)


def main() -> None:
    """Run the command; bad input is one line on the standard error and exit status 2."""
    os.environ.setdefault("TERRASWEEP_HOME", str(paths.home()))
    try:
        app()
    except InvalidConfig as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except TerrasweepError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_NOTHING_COMPLETED)
    except KeyboardInterrupt:
        sys.exit(0)
