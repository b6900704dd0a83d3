"""Arguments that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

Study = Annotated[str, typer.Argument(help="Name of the study: its folder below results/.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, as for sweep.py.", show_default=False)]
