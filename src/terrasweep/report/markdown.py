"""``report.md``: the study for a pull request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from terrasweep.machine.files import write_atomically
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.report.text_sections import text_sections


def write_markdown(folder: Path, outcome: StudyOutcome) -> None:
    """Write ``report.md``: summary, front, recommendations, failures, environment."""
    environment = Environment(
        loader=PackageLoader("terrasweep.report", "templates"),
        autoescape=False,  # noqa: S701 - Markdown has characters of its own; `cell` escapes them.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = cell
    write_atomically(folder / "report.md", environment.get_template("report.md").render(text_sections(outcome)))


def cell(value: Any) -> str:
    """A value as text that neither breaks a Markdown table nor becomes markup."""
    line = " ".join(str(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", line)
