"""``terrasweep ui``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from terrasweep.machine import paths


def command(
    uri: Annotated[
        str, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow tracking URI.")
    ] = "sqlite:///mlflow.db",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5000,
) -> None:
    """Start the MLflow UI on this project's store, until Ctrl-C. All its processes end with this one."""
    from terrasweep.cli.server_group import serve
    from terrasweep.study.mlflow_store import absolute_uri, check_reachable, prepare

    check_reachable(uri)
    prepare(uri)
    server = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", absolute_uri(uri)]
    artifacts = (paths.home() / "results" / ".mlflow").as_uri()
    server += ["--default-artifact-root", artifacts, "--host", host, "--port", str(port)]
    raise typer.Exit(serve(server, paths.home()))
