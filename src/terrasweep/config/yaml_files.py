"""Why a YAML file of the user's can't be read, or says nothing, as one line with its place."""

from __future__ import annotations

import codecs
import traceback
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

_GIVE_KEYS = "give keys with values, like study: {seed: 1}"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def describe_unreadable(error: BaseException) -> str | None:
    """``FILE, line N: reason; way out`` for an error that Hydra met while it read a file of a configuration.

    Returns:
        None where the error is another.
    """
    if not isinstance(error, yaml.YAMLError | UnicodeDecodeError | OSError):
        return None
    file = _file_being_read(error)
    if file is None:
        return None
    if isinstance(error, OSError):
        # OmegaConf says by one that a file is a number or a date.
        return f"{file}: it is a single value; {_GIVE_KEYS}" if error.errno is None else None
    content = file.read_bytes()
    if isinstance(error, UnicodeDecodeError):
        return _not_utf8(file, content)
    text = content.decode(errors="replace")
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        sign = error.character if isinstance(error.character, int) else ord(error.character)
        return f"{file}, line {line}: the sign U+{sign:04X} is not allowed in YAML; take it out"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"{file}: {' '.join(str(error).split())}; correct it"
    mark = error.problem_mark
    said = f"{error.problem} {error.context or ''}".strip()
    way_out = "indent by spaces" if _is_tab(text, mark.line, mark.column) else "correct it"
    return f"{file}, line {mark.line + 1}, column {mark.column + 1}: {said}; {way_out}"


def find_lists(hydra: Any) -> Iterator[str]:
    """One line per file of the user's, of those that were composed, which is a list: Hydra takes nothing from it.

    Args:
        hydra: Hydra's own part of the composed configuration.
    """
    chosen = [f"{group}/{option}" for group, option in hydra.runtime.choices.items() if isinstance(option, str)]
    for name in [str(hydra.job.config_name), *chosen]:
        file = _file_of(name, hydra.runtime.config_sources)
        if isinstance(file, Path) and _is_list(file):
            yield f"{file}: it is a list, from which nothing would be taken; {_GIVE_KEYS}"


def _file_of(name: str, sources: Any) -> Path | Traversable | None:
    """Where Hydra has found a configuration: the first of its folders and packages that holds it."""
    for source in sources:
        places: dict[str, Any] = {"file": Path, "pkg": resources.files}
        if source.schema in places and source.path:
            file: Path | Traversable = places[source.schema](source.path) / f"{name.removesuffix('.yaml')}.yaml"
            if file.is_file():
                return file if source.schema == "file" else None
    return None


def _is_list(file: Path) -> bool:
    with file.open("rb") as stream:
        nodes = (event for event in yaml.parse(stream) if isinstance(event, yaml.NodeEvent))
        return isinstance(next(nodes, None), yaml.SequenceStartEvent)


def _not_utf8(file: Path, content: bytes) -> str:
    if content.startswith(_UTF16):
        return f"{file}, line 1: it is UTF-16; save it as UTF-8"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"{file}, line {line}: the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
    return f"{file}: it could not be read as UTF-8; save it as UTF-8"


def _is_tab(text: str, line: int, column: int) -> bool:
    lines = text.split("\n")
    return line < len(lines) and lines[line][column : column + 1] == "\t"


def _file_being_read(error: BaseException) -> Path | None:
    """The file that Hydra had open; libyaml's errors name it, those of the decoder don't."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        if str(frame.f_globals.get("__name__", "")).startswith("hydra.") and "full_path" in frame.f_locals:
            return Path(str(frame.f_locals["full_path"]))
    return None
