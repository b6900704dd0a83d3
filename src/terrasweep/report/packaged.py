"""The files that the pages are made from: templates, style sheets, scripts."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


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
