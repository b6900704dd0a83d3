"""Which files belong together: the images of a sample, and its mask, by their names. Imports no torch."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from terrasweep.results.errors import DataError

IMAGE_ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2")


def images_in(folder: Path, pattern: str | None, *, below: str = "") -> list[str]:
    """Names of the images in a folder, sorted, relative to it.

    Args:
        folder: Where to look.
        pattern: Glob that a name has to match; None: every file that ends like an image.
        below: Glob of the folders between, like ``*/`` for one level.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; docs/data.md shows the layout")
    found = (path for path in folder.glob(f"{below}{pattern or '*'}") if path.is_file())
    chosen = [path for path in found if pattern or path.suffix.lower() in IMAGE_ENDINGS]
    names = (path.relative_to(folder) for path in chosen)
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def find_suffixes(files: dict[str, list[str]]) -> dict[str, str]:
    """What follows a sample's name in the file names of each kind, so that the kinds share their names.

    ``a_S2.tif`` and ``a_mask.png`` are both of the sample ``a``: the suffixes are ``_S2.tif`` and ``_mask.png``. Of all
    suffixes that the names of a kind have in common, those are taken under which most samples are complete, and of
    these the shortest.

    Args:
        files: File names by kind (modalities, ``mask``); the first kind is the one that others are matched with.

    Raises:
        DataError: A kind has no file, files of several types, or no name in common with the first.
    """
    candidates = {kind: _candidates(kind, names) for kind, names in files.items()}
    first, *others = files
    best: tuple[int, int, dict[str, str]] | None = None
    for suffix in candidates[first]:
        keys = _keys(files[first], suffix)
        chosen, complete = {first: suffix}, 0
        for kind in others:
            scored = [(-len(keys & _keys(files[kind], s)), len(s), s) for s in candidates[kind]]
            misses, _, chosen[kind] = min(scored)
            complete -= misses
        rank = (-complete, sum(map(len, chosen.values())), chosen)
        best = rank if best is None or rank[:2] < best[:2] else best
    assert best is not None
    if others and best[0] == 0:
        examples = ", ".join(f"{names[0]} ({kind})" for kind, names in files.items())
        raise DataError(
            f"the names have no beginning in common: {examples}; name the files of one sample alike, but for the end"
        )
    return best[2]


def matched(files: dict[str, list[str]], suffixes: dict[str, str], place: str) -> list[str]:
    """The samples' names, sorted.

    Args:
        files: File names by kind.
        suffixes: By kind, as :func:`find_suffixes` gives them.
        place: What an error says first.

    Raises:
        DataError: A kind lacks a file, or has one too many.
    """
    first, *others = files
    keys = {kind: _keys(names, suffixes[kind]) for kind, names in files.items()}
    for kind in others:
        for more, less in ((first, kind), (kind, first)):
            if lacking := sorted(keys[more] - keys[less]):
                raise DataError(
                    f"{place}: {len(lacking)} of {len(keys[more])} files of {more} have no file of {less} with their "
                    f"name (first {lacking[0]}{suffixes[more]}); add them, or take those out"
                )
    return sorted(keys[first])


def check_unique(names: list[str], place: str) -> None:
    """Two files that differ in their type alone would be one sample.

    Raises:
        DataError: There are such files.
    """
    stems = Counter(str(Path(name).with_suffix("")) for name in names)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        both = " and ".join(name for name in names if str(Path(name).with_suffix("")) == twice[0])
        raise DataError(f"{place}: {both} have the same name ({len(twice)} such names); rename one, or take it out")


def _candidates(kind: str, names: list[str]) -> list[str]:
    """Endings that all names have in common, from the file type alone to all but the first word."""
    endings = Counter(Path(name).suffix for name in names)
    if len(endings) > 1:
        kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
        raise DataError(f"{kind}: files of several types ({kinds}); choose one with a glob, see docs/data.md")
    ending = next(iter(endings))
    stem = names[0].removesuffix(ending)
    cuts = [match.start() for match in re.finditer(r"[_.\-]", stem) if match.start() > 0]
    found = [ending, *(stem[cut:] + ending for cut in cuts)]
    return [suffix for suffix in found if all(len(n) > len(suffix) and n.endswith(suffix) for n in names)]


def _keys(names: list[str], suffix: str) -> set[str]:
    return {name.removesuffix(suffix) for name in names}
