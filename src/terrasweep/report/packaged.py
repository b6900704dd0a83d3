"""The pages, and the packaged files that they are made from: templates, style sheets, scripts."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from terrasweep import __version__
from terrasweep.report.colours import KNEE_COLOUR, STATE_COLOURS


def render_page(template: str, /, *own_styles: str, **shown: Any) -> str:
    """A page in one file that opens without a network: ``page.html`` around what is the template's own.

    Args:
        template: A template that extends ``page.html``.
        own_styles: Its style sheets beside the one of all pages.
        shown: What is put into the template.
    """
    return (
        page_environment()
        .get_template(template)
        .render(
            shown,
            colours={**{str(state): colour for state, colour in STATE_COLOURS.items()}, "knee": KNEE_COLOUR},
            style=Markup().join(packaged(name) for name in ("page.css", *own_styles)),
            version=__version__,
        )
    )


def page_environment() -> Environment:
    """The templates; what is put into them is text, and never markup."""
    return Environment(
        loader=PackageLoader("terrasweep.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def packaged(name: str) -> Markup:
    """One of this package's own files, taken over as it is."""
    text = files("terrasweep.report").joinpath("templates", name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - the package's own files
