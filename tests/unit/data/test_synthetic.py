"""The quickstart's tiles: the same every time, all or nothing, and what the folder names say they are."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrasweep.data import synthetic
from terrasweep.data.synthetic import SPLITS, SyntheticScenes, draw_tile, synthetic_folder, write_synthetic

SCENES = SyntheticScenes(domain="target", seed=3, tile_px=32, train=8, val=6, test=6)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("tiles"), SCENES)


def _pixels(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.tif"))}


def test_same_settings_give_the_same_bytes_in_another_folder(written: Path, tmp_path: Path) -> None:
    again = write_synthetic(tmp_path, SCENES)
    assert again.name == written.name
    assert _pixels(again) == _pixels(written)


def test_a_tile_does_not_depend_on_how_many_there_are_but_on_seed_and_split() -> None:
    image, mask = draw_tile(SCENES, "train", 5)
    more, more_mask = draw_tile(replace(SCENES, train=50), "train", 5)
    assert np.array_equal(image, more)
    assert np.array_equal(mask, more_mask)
    assert not np.array_equal(image, draw_tile(replace(SCENES, seed=4), "train", 5)[0])
    assert not np.array_equal(image, draw_tile(SCENES, "val", 5)[0])


def test_every_setting_and_the_generator_version_have_a_folder_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [SCENES, replace(SCENES, domain="source"), replace(SCENES, seed=4), replace(SCENES, tile_px=64)]
    settings += [replace(SCENES, train=9), replace(SCENES, val=9), replace(SCENES, test=9)]
    folders = {synthetic_folder(Path("tiles"), scenes) for scenes in settings}
    monkeypatch.setattr(synthetic, "GENERATOR_VERSION", -1)
    folders.add(synthetic_folder(Path("tiles"), SCENES))
    assert len(folders) == len(settings) + 1


def test_a_second_call_writes_nothing(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterio, "open", lambda *_, **__: pytest.fail("wrote a tile again"))
    assert write_synthetic(written.parent, SCENES) == written


@pytest.mark.parametrize("tiles_before_the_end", [0, 5, 39])
def test_a_writer_that_dies_leaves_nothing(
    tiles_before_the_end: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = synthetic._write_geotiff
    written_tiles: list[Path] = []

    def write_or_die(path: Path, *rest: object) -> None:
        if len(written_tiles) == tiles_before_the_end:
            raise OSError("No space left on device")
        written_tiles.append(path)
        write(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(synthetic, "_write_geotiff", write_or_die)
    with pytest.raises(OSError, match="No space left"):
        write_synthetic(tmp_path, SCENES)
    assert len(written_tiles) == tiles_before_the_end
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_leaves_is_not_taken_for_the_tiles(written: Path, tmp_path: Path) -> None:
    if (writer := os.fork()) == 0:
        # The last thing before the rename is a link: SIGKILL there leaves the most behind.
        links = 0

        def link_or_die(image: Path, scene: Path) -> None:
            nonlocal links
            links += 1
            if links == 20:
                os.kill(os.getpid(), signal.SIGKILL)

        os.link = link_or_die  # type: ignore[assignment]
        write_synthetic(tmp_path, SCENES)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(writer, 0)[1]) == signal.SIGKILL
    assert len(list(tmp_path.rglob("*.tif"))) == 40
    assert not synthetic_folder(tmp_path, SCENES).exists()
    assert _pixels(write_synthetic(tmp_path, SCENES)) == _pixels(written)


def test_the_slower_of_two_writers_keeps_the_faster_ones_tiles(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def lose_the_race(draft: Path, complete: Path) -> None:
        (complete / "train").mkdir(parents=True)
        rename(draft, complete)

    monkeypatch.setattr(os, "rename", lose_the_race)
    assert write_synthetic(tmp_path, SCENES) == synthetic_folder(tmp_path, SCENES)
    assert [path.name for path in tmp_path.iterdir()] == [written.name]


def test_a_rename_that_fails_for_another_reason_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Path) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        write_synthetic(tmp_path, SCENES)


def test_images_and_masks_are_georeferenced_alike_and_tiles_lie_apart(written: Path) -> None:
    corners = set()
    for split in SPLITS:
        images = sorted((written / split / "images").iterdir())
        masks = sorted((written / split / "masks").iterdir())
        assert [path.name for path in images] == [path.name for path in masks]
        assert len(images) == SCENES.count(split)
        for image_path, mask_path in zip(images, masks, strict=True):
            with rasterio.open(image_path) as image, rasterio.open(mask_path) as mask:
                assert (image.count, mask.count) == (6, 1)
                assert image.dtypes == ("uint16",) * 6
                assert mask.dtypes == ("uint8",)
                assert image.shape == mask.shape == (32, 32)
                assert image.crs == mask.crs
                assert image.crs.is_projected
                assert image.res == (30.0, 30.0)
                assert image.transform == mask.transform
                assert image.nodata is None
                assert mask.nodata is None
                corners.add((image.bounds.left, image.bounds.top))
                assert mask.read(1).max() < len(SyntheticScenes.CLASSES)
    assert len(corners) == 20


def test_parcels_of_one_crop_look_alike_where_the_mask_says_so() -> None:
    """With the disturbances averaged out over many tiles, each crop's mean spectrum is the one it was given."""
    scenes = replace(SCENES, domain="source")
    pixels, labels = zip(*(draw_tile(scenes, "train", index) for index in range(300)), strict=True)
    spectra, crops = np.stack(pixels, axis=-1).reshape(6, -1), np.stack(labels, axis=-1).ravel()
    measured = np.stack([spectra[:, crops == crop].mean(axis=1) for crop in range(6)])
    measured = (measured - measured.mean(axis=0)) / synthetic.BAND_SCALE
    expected = synthetic.CROP_SPECTRA - synthetic.CROP_SPECTRA.mean(axis=0)
    for crop in range(6):
        assert ((measured[crop] - expected) ** 2).sum(axis=1).argmin() == crop


def test_a_scene_folder_holds_the_tiles_of_its_largest_crop(written: Path) -> None:
    for split in SPLITS:
        folders = sorted(path.name for path in (written / "scenes" / split).iterdir())
        assert tuple(folders) == SyntheticScenes.CLASSES
        scenes = sorted((written / "scenes" / split).glob("*/*.tif"))
        assert len(scenes) == SCENES.count(split)
        for scene in scenes:
            assert scene.samefile(written / split / "images" / scene.name)
            with rasterio.open(written / split / "masks" / scene.name) as mask:
                area_px = np.bincount(mask.read().ravel(), minlength=6)
            assert SyntheticScenes.CLASSES[area_px.argmax()] == scene.parent.name


def test_the_domains_share_their_crops_but_not_their_statistics() -> None:
    """MEANS and STDS describe each domain, and the bands that go together differ between them."""
    correlations = []
    for domain in ("source", "target"):
        scenes = SyntheticScenes(domain=domain)
        tiles = np.stack([draw_tile(scenes, "train", index)[0] for index in range(96)]).astype(float)
        stds = np.array(SyntheticScenes.STDS[domain])
        assert np.abs(tiles.mean(axis=(0, 2, 3)) - SyntheticScenes.MEANS[domain]).max() < 0.15 * stds.max()
        assert tiles.std(axis=(0, 2, 3)) == pytest.approx(stds, rel=0.2)
        correlations.append(np.corrcoef(tiles.transpose(1, 0, 2, 3).reshape(6, -1)))
    assert np.abs(correlations[0] - correlations[1]).max() > 0.3


@pytest.mark.parametrize(
    ("settings", "named"), [({"domain": "moon"}, "moon"), ({"val": 5}, "val=5"), ({"tile_px": 8}, "tile_px=8")]
)
def test_settings_that_cannot_be_drawn_are_refused(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SyntheticScenes(**{"domain": "target", **settings})  # type: ignore[arg-type]
