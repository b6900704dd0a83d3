"""What ``python sweep.py --help`` says of groups and options: read from their files, and from knobs from outside."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from terrasweep import conf
from terrasweep.config.outside_knobs import outside_knobs
from terrasweep.config.schema import TrialConfig

_FOLDER = Path(conf.__file__).parent
_YOURS = ("sweeps", "search_spaces")
"""Groups whose options are the user's own files."""
_OF_HYDRA = ("hydra/sweeper/pruner", "hydra/launcher")
_COLUMNS = 80
_INDENT = 2
_NAMES = 16
"""Columns for the name of a group."""


def groups() -> str:
    """A paragraph per group that has something to choose: its name, and the names of its options."""
    yours = [_paragraph(name, f"a file of {name}/; quickstart by default, or your own") for name in _YOURS]
    return "\n".join([*yours, *(_paragraph(group, ", ".join(options)) for group, options in _groups())])


def _groups() -> Iterator[tuple[str, list[str]]]:
    """Group to its options, sorted; in the order of the configuration's sections."""
    outside = {knob.group: [option.name for option in knob.options] for knob in outside_knobs()}
    for section in (*(field.name for field in dataclasses.fields(TrialConfig)), *_OF_HYDRA):
        if len(options := _stems(_FOLDER.joinpath(section).glob("*.yaml"))) > 1:
            yield section, options
    yield from outside.items()


def _stems(files: Iterable[Path]) -> list[str]:
    return sorted(file.stem for file in files)


def _paragraph(name: str, text: str) -> str:
    indent = " " * (_INDENT + _NAMES)
    label = " " * _INDENT + f"{name} ".ljust(_NAMES)
    return textwrap.fill(text, _COLUMNS, initial_indent=label, subsequent_indent=indent, break_on_hyphens=False)
