"""``terrasweep models [PATTERN]``."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    pattern: Annotated[
        str | None, typer.Argument(help="Part of a name, or a glob like 'timm_vit*'.", show_default=False)
    ] = None,
) -> None:
    """List the backbones to choose from: the prepared ones with their sizes, then every name in the registry."""
    from terrasweep.models.backbones.prepared import listing

    typer.echo(listing(pattern))
