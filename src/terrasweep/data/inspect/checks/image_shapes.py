"""Checks of the images' shapes: sizes and numbers of bands. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.data.find.listing import PIXEL_TASKS
from terrasweep.data.inspect.checks.case import ERROR, WARNING, Case, Check, numbers_in, shape_text, shapes_of
from terrasweep.results.wording import counted, listed


def _shapes(case: Case) -> Iterator[str]:
    for modality in case.modalities:
        shapes = shapes_of(case, modality)
        bands_differ = len({numbers_in(shape)[0] for shape in shapes}) > 1
        if len(shapes) < 2 or (case.config.data.resize_px and not bands_differ):
            continue
        seen = listed(f"{shape_text(shape)} in {counted(n, 'sample')}" for shape, n in shapes.most_common())
        if bands_differ:
            way_out = "give every file the same bands"
        elif case.config.data.pixel_metres is not None and case.task in PIXEL_TASKS:
            way_out = "set data.cut=lazily with data.tile_px, since data.resize_px would make pixels of two sizes again"
        else:
            way_out = "set data.resize_px, or data.cut=true with data.tile_px, or mend the files"
        yield (f"{case.subject(modality)}: images have {len(shapes)} shapes ({seen}), and a batch takes one; {way_out}")


def _resized_again(case: Case) -> Iterator[str]:
    data = case.config.data
    if data.resize_px is None or data.pixel_metres is None:
        return
    for modality in case.modalities:
        sizes = {numbers_in(shape)[-2:] for shape in shapes_of(case, modality)}
        if len(sizes) > 1:
            seen = listed(sorted(" x ".join(map(str, size)) for size in sizes))
            instead = "use data.cut=lazily with data.tile_px instead" if case.task in PIXEL_TASKS else "crop them alike"
            yield (
                f"data.resize_px={data.resize_px} with data.pixel_size={data.pixel_size}: images have {len(sizes)} "
                f"sizes ({seen}), so that resizing makes their pixels differ on the ground again; {instead}"
            )


def _tile_size(case: Case) -> Iterator[str]:
    tile = case.config.data.tile_px
    if tile is None or case.config.data.resize_px is not None:
        return
    for modality in case.modalities:
        shapes = shapes_of(case, modality)
        size = numbers_in(next(iter(shapes)))[-2:] if len(shapes) == 1 else None
        if size is not None and size != (tile, tile):
            whose = "images" if len(case.modalities) == 1 else f"images of {modality}"
            yield (
                f"data.tile_px={tile}: {whose} have {' x '.join(map(str, size))} pixels; correct it, or cut them by "
                "data.cut=true"
            )


def _square(case: Case) -> Iterator[str]:
    if case.config.data.resize_px is not None:
        return
    for modality in case.modalities:
        shapes = shapes_of(case, modality)
        height, width = numbers_in(next(iter(shapes)))[-2:] if len(shapes) == 1 else (0, 0)
        if height != width:
            yield (
                f"{case.subject(modality)}: tiles are {height} x {width} pixels, and backbones take squares; set "
                "data.resize_px, or cut them with data.cut=true and data.tile_px"
            )


def _modality_sizes(case: Case) -> Iterator[str]:
    sizes = {}
    for modality in case.modalities:
        shapes = shapes_of(case, modality)
        if len(shapes) == 1:
            sizes[modality] = numbers_in(next(iter(shapes)))[-2:]
    if case.config.data.resize_px is None and len(set(sizes.values())) > 1:
        seen = listed(f"{modality} {' x '.join(map(str, size))}" for modality, size in sizes.items())
        yield (
            f"{case.place}: modalities differ in pixels ({seen}), and their tokens would not lie over each other; set "
            "data.resize_px, or data.pixel_size to metres, or resample the files to one grid"
        )


def _band_count(case: Case) -> Iterator[str]:
    for modality in case.modalities:
        names = case.declared_bands(modality)
        counts = {numbers_in(shape)[0] for shape in shapes_of(case, modality)}
        if names and counts - {len(names)}:
            key = case.key(modality, "bands")
            found = " or ".join(str(count) for count in sorted(counts))
            numbers = ",".join(str(place + 1) for place in range(min(len(names), *counts)))
            yield (
                f"{key}=[{', '.join(names)}]: it names {counted(len(names), 'band')}, the files have {found} "
                f"({listed(case.survey.bands.get(modality, []), 15)}); give each a name, in order, or choose by these "
                f"names, or by number as in {key}=[{numbers}]"
            )


SHAPE_CHECKS = (
    Check("shapes", ERROR, _shapes),
    Check("tile-size", ERROR, _tile_size),
    Check("square", ERROR, _square),
    Check("modality-sizes", ERROR, _modality_sizes),
    Check("band-count", ERROR, _band_count),
    Check("resized-again", WARNING, _resized_again),
)
