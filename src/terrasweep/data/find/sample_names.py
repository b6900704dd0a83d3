"""Which sample a table or a list means, however it spells the name: with folders or an ending, or without.

Imports no torch.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from terrasweep.data.find.file_names import IMAGE_ENDINGS

Sample = tuple[str, str]
"""Split and name."""


class SampleNames:
    """The samples of a data set by all that their names may be written like."""

    def __init__(self, spellings: Iterable[tuple[Sample, Iterable[str]]]) -> None:
        """Take the samples with their names and the paths of their files."""
        self._paths: dict[Sample, list[PurePosixPath]] = {}
        self._by_last: dict[str, dict[Sample, None]] = {}
        for sample, texts in spellings:
            self._paths[sample] = [_path(text) for text in texts]
            for path in self._paths[sample]:
                for key in (path.name, _without_ending(path.name)):
                    self._by_last.setdefault(key, {})[sample] = None

    def find(self, text: str) -> list[Sample]:
        """The samples that are meant: those whose path has most in common with the text, from its end on."""
        path = _path(text)
        found = self._by_last.get(path.name) or self._by_last.get(_without_ending(path.name), {})
        scores = {sample: max(_alike(path, own) for own in self._paths[sample]) for sample in found}
        return [sample for sample, score in scores.items() if score == max(scores.values())]


def _path(text: str) -> PurePosixPath:
    """Composed letters and slashes, whichever system wrote it."""
    return PurePosixPath(unicodedata.normalize("NFC", text.strip()).replace("\\", "/"))


def _without_ending(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in IMAGE_ENDINGS else name


def _alike(path: PurePosixPath, own: PurePosixPath) -> tuple[bool, int, bool]:
    """Whether they are the same, how many folders they share, and whether the last part is exactly the same."""
    return path == own, len(set(path.parts[:-1]) & set(own.parts[:-1]) - {"/"}), path.name == own.name
