"""The commands, configurations and programs that the documentation shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.composing import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
COMMENTED = [*sorted((ROOT / "sweeps").glob("*.yaml")), *sorted((ROOT / "search_spaces").glob("*.yaml"))]
"""Configurations whose first comments show commands."""
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:python sweep\.py|terrasweep) [^`]*)`")
_COMMENT = re.compile(r"^#\s+((?:python sweep\.py|terrasweep) .*)$", re.MULTILINE)
_PROGRAMS = ("cd", "for", "nox", "pip", "pipx", "python", "source", "terrasweep", "wait")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command, as a shell would split it; what redirects its output is left out."""

    page: str
    words: list[str] = field(hash=False)

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def blocks(language: str) -> list[Block]:
    """Every block of a language, in the order of the pages."""
    found = [Block(_name(page), *match.groups()) for page in PAGES for match in _BLOCK.finditer(page.read_text())]
    return [block for block in found if block.language == language]


def commands(program: str) -> list[Command]:
    """Every command of a program, like ``python sweep.py`` or ``terrasweep``, wherever it is shown."""
    wanted = shlex.split(program)
    found = [command for command in _all_commands() if command.words[: len(wanted)] == wanted]
    return list({str(command): Command(command.page, command.words[len(wanted) :]) for command in found}.values())


def _all_commands() -> Iterator[Command]:
    for block in blocks("shell"):
        for line in block.text.replace("\\\n", " ").splitlines():
            for part in line.split(" && "):
                yield from _command(block.page, part)
    for page in PAGES:
        for match in _INLINE.finditer(_BLOCK.sub("", page.read_text())):
            yield from _command(_name(page), " ".join(match[1].split()))
    for file in COMMENTED:
        for match in _COMMENT.finditer(file.read_text()):
            yield from _command(_name(file), match[1])


def _command(page: str, line: str) -> Iterator[Command]:
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)  # The environment.
    if not words:
        return
    assert words[0] in _PROGRAMS, f"{page}: nothing checks {line!r}"
    end = next((place for place, word in enumerate(words) if word in (">", "&", "|")), len(words))
    yield Command(page, words[:end])


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))
