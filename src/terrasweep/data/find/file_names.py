"""Which files belong together: the images of a sample, and its mask, by their names. Imports no torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath

from terrasweep.results.errors import DataError

IMAGE_ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2")
_PROBES = 1000
"""Names that are tried to see which of many ways to cut them fits best."""


@dataclass(frozen=True, kw_only=True)
class Affixes:
    """What stands around a sample's name in the file names of one kind; names may begin with folders."""

    prefix: str = ""
    """Before it, behind the folders."""
    suffix: str = ""
    """Behind it, before the ending."""
    ending: str | None = None
    """Of all files; None where they differ."""

    @property
    def is_plain(self) -> bool:
        """Whether a file's name is the sample's and one and the same text behind it."""
        return not self.prefix and self.ending is not None

    def sample(self, file: str) -> str:
        """The sample's name in a file's name."""
        folder, slash, name = _stem(file).rpartition("/")
        return f"{folder}{slash}{name.removeprefix(self.prefix)}".removesuffix(self.suffix)


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
    return sorted(_images(folder, pattern, below))


def has_image(folder: Path, pattern: str | None) -> bool:
    """Whether there is one, as in :func:`images_in`, directly in a folder."""
    return next(_images(folder, pattern, ""), None) is not None


def _images(folder: Path, pattern: str | None, below: str) -> Iterator[str]:
    for path in folder.glob(f"{below}{pattern or '*'}"):
        name = path.relative_to(folder)
        is_hidden = any(part.startswith(".") for part in name.parts)
        if not is_hidden and (pattern or path.suffix.lower() in IMAGE_ENDINGS) and path.is_file():
            yield name.as_posix()


def find_affixes(files: Mapping[str, list[str]]) -> dict[str, Affixes]:
    """What stands around a sample's name in the file names of each kind, so that the kinds share their names.

    ``a_S2.tif`` and ``a_mask.png`` are both of the sample ``a``: the suffixes are ``_S2`` and ``_mask``. Of all
    suffixes that the names of a kind have in common, those are taken under which most samples are complete, and of
    these the shortest. Where no suffixes make any sample complete, prefixes are tried too: ``image_1.png`` and
    ``mask_1.png``.

    Args:
        files: File names by kind (modalities, ``mask``); the first kind is the one that others are matched with.

    Raises:
        DataError: A kind has no name in common with the first.
    """
    endings = {kind: {PurePosixPath(name).suffix for name in names} for kind, names in files.items()}
    common = {kind: next(iter(found)) if len(found) == 1 else None for kind, found in endings.items()}
    stems = {kind: [_stem(name) for name in names] for kind, names in files.items()}
    by_suffixes = _by_suffixes(stems)
    chosen = by_suffixes[0] if by_suffixes and by_suffixes[1] else _by_both(stems) or (by_suffixes or (None,))[0]
    if chosen is None:
        examples = ", ".join(f"{names[0]} ({kind})" for kind, names in files.items())
        raise DataError(f"the names have nothing in common: {examples}; name the files of one sample alike")
    return {
        kind: Affixes(prefix=prefix, suffix=suffix, ending=common[kind]) for kind, (prefix, suffix) in chosen.items()
    }


def matched(files: Mapping[str, list[str]], affixes: Mapping[str, Affixes], place: str) -> list[str]:
    """The samples' names, sorted.

    Args:
        files: File names by kind.
        affixes: By kind, as :func:`find_affixes` gives them.
        place: What an error says first.

    Raises:
        DataError: A kind lacks a file, or has one too many.
    """
    first, *others = files
    keys = {kind: {affixes[kind].sample(name): name for name in names} for kind, names in files.items()}
    for kind in others:
        for more, less in ((first, kind), (kind, first)):
            if lacking := sorted(keys[more].keys() - keys[less].keys()):
                raise DataError(
                    f"{place}: {len(lacking)} of {len(keys[more])} files of {more} have no file of {less} with their "
                    f"name (first {keys[more][lacking[0]]}); add them, or take those out"
                )
    return sorted(keys[first])


def check_unique(names: Iterable[str], place: str) -> None:
    """Two files that differ in their type alone would be one sample.

    Raises:
        DataError: There are such files.
    """
    stems = Counter(_stem(name) for name in names)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        both = " and ".join(name for name in names if _stem(name) == twice[0])
        raise DataError(f"{place}: {both} have the same name ({len(twice)} such names); rename one, or take it out")


def _stem(name: str) -> str:
    return name.removesuffix(PurePosixPath(name).suffix)


def _by_suffixes(stems: dict[str, list[str]]) -> tuple[dict[str, tuple[str, str]], bool] | None:
    """The shortest suffixes under which most samples are complete, and whether each kind has a part in that."""
    candidates = {kind: _suffixes(names) for kind, names in stems.items()}
    first, *others = stems
    best: tuple[int, int, dict[str, str], bool] | None = None
    for suffix in candidates[first]:
        keys = _keys(stems[first], suffix)
        chosen, hits = {first: suffix}, [0 for _ in others]
        for index, kind in enumerate(others):
            scored = [(-len(keys & _keys(stems[kind], s)), len(s), s) for s in candidates[kind]]
            misses, _, chosen[kind] = min(scored)
            hits[index] = -misses
        rank = (-sum(hits), sum(map(len, chosen.values())), chosen, all(hits))
        best = rank if best is None or rank[:2] < best[:2] else best
    assert best is not None
    return None if others and best[0] == 0 else ({kind: ("", suffix) for kind, suffix in best[2].items()}, best[3])


def _suffixes(stems: list[str]) -> list[str]:
    """Ends that all names have in common, from none to all but the first word."""
    stem = stems[0]
    cuts = [match.start() for match in re.finditer(r"[_.\-/]", stem) if match.start() > 0]
    found = ["", *(stem[cut:] for cut in cuts)]
    return [suffix for suffix in found if all(len(s) > len(suffix) and s.endswith(suffix) for s in stems)]


def _keys(stems: list[str], suffix: str) -> set[str]:
    return {stem.removesuffix(suffix) for stem in stems}


def _by_both(stems: dict[str, list[str]]) -> dict[str, tuple[str, str]] | None:
    """Prefix and suffix by kind, as short as may be, under which most samples are complete, and at least half."""
    first, *others = stems
    ways = {kind: _ways(names) for kind, names in stems.items()}
    chosen: dict[str, tuple[str, str]] = {}
    best = (0, 0)
    for way, keys in ways[first].items():
        probes = sorted(keys)[:: len(keys) // _PROBES + 1]
        found, complete = {first: way}, 0
        for kind in others:
            scored = [(sum(key in own for key in probes), -_length(other), other) for other, own in ways[kind].items()]
            hits, _, found[kind] = max(scored, key=lambda score: score[:2])
            complete += hits if 2 * hits >= len(probes) else 0
        rank = (complete, -sum(map(_length, found.values())))
        if complete and rank > best:
            best, chosen = rank, found
    return chosen or None


def _length(way: tuple[str, str]) -> int:
    return len(way[0]) + len(way[1])


def _ways(stems: list[str]) -> dict[tuple[str, str], set[str]]:
    """By prefix and suffix that can be cut off all names, what is left. Words end where letters or digits do."""
    names = [stem.rpartition("/")[2] for stem in stems]
    front = _common_front(names)
    back = _common_front([name[::-1] for name in names])[::-1]
    edges = [match.end() for match in re.finditer(r"[^\W\d_]+[\W_]*|\d+[\W_]*|[\W_]+", front)]
    prefixes = [front[:edge] for edge in (0, *edges)]
    starts = [match.start() for match in re.finditer(r"[\W_]*[^\W\d_]+|[\W_]*\d+|[\W_]+", back)]
    suffixes = [back[start:] for start in (*starts, len(back))]
    ways = {}
    for prefix, suffix in product(prefixes, suffixes):
        if all(len(name) > len(prefix) + len(suffix) for name in names):
            cut = Affixes(prefix=prefix, suffix=suffix)
            ways[prefix, suffix] = {_cut(stem, cut) for stem in stems}
    return ways


def _common_front(names: list[str]) -> str:
    least, most = min(names), max(names)
    return least[: next((i for i, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), len(least))]


def _cut(stem: str, affixes: Affixes) -> str:
    folder, slash, name = stem.rpartition("/")
    return f"{folder}{slash}{name[len(affixes.prefix) : len(name) - len(affixes.suffix)]}"
