"""Public sets in the layout of their publishers, and a user's own LightningDataModule."""

import importlib
import json
import pickle
import sys

import h5py
import numpy as np
import pytest
import torch
from terratorch.models.model import ModelOutput
from torch import nn
from torch.utils.data import default_collate

from terrasweep.data.open.datamodule_hooks import normalized_by
from terrasweep.data.open.folders import open_data
from terrasweep.data.open.public import built_with, datasets, open_datamodule, open_splits
from terrasweep.data.open.public_sources import GEOBENCH_FOLDERS, SOURCES
from terrasweep.models.assemble import BuiltModel
from terrasweep.results.errors import DataError, DeviceOutOfMemory, HostOutOfMemory, InvalidConfig
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, evaluate, fit
from tests.composing import compose_trial
from tests.unit.data.rasters import write_raster as write

EUROSAT_CLASSES = (
    *("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial"),
    *("Pasture", "PermanentCrop", "Residential", "River", "SeaLake"),
)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))


def config(name, root, *overrides):
    return compose_trial(f"data={name}", f"data.root={root}", *overrides)


def first(datamodule, split, count=1):
    dataset = datasets(datamodule)[split]
    return default_collate([dataset[index] for index in range(count)])


def write_eurosat(root, splits=("train", "val")):
    """One tile per class and split, as in the released archive; each band has its place as its value."""
    for number, split in enumerate(splits):
        names = [f"{name}_{number + 1}" for name in EUROSAT_CLASSES]
        (root / f"eurosat-{split}.txt").parent.mkdir(parents=True, exist_ok=True)
        (root / f"eurosat-{split}.txt").write_text("".join(f"{name}.jpg\n" for name in names))
        for name in names:
            folder = root / "ds/images/remote_sensing/otherDatasets/sentinel_2/tif" / name.partition("_")[0]
            values = 100 * np.arange(13, dtype=np.uint16)[:, None, None]
            write(folder / f"{name}.tif", np.broadcast_to(values, (13, 64, 64)).copy())


def test_eurosat_is_read_and_normalized_as_torchgeo_does_it(tmp_path):
    write_eurosat(tmp_path / "eurosat")
    trial = config("eurosat", "eurosat", "task=classification")  # Below the project's root.
    datamodule = open_datamodule(trial)
    batch = first(datamodule, "train", 10)
    assert batch["image"].shape == (10, 13, 64, 64)
    assert batch["label"].tolist() == list(range(10))
    assert trial.data.class_names == list(datasets(datamodule)["train"].classes)
    made = normalized_by(datamodule, batch, training=True)
    # B02 and B8A, with the means and deviations of TorchGeo's EuroSATDataModule.
    assert made["image"][0, 1].unique().item() == pytest.approx((100 - 1118.24399958) / 333.00778264)
    assert made["image"][0, 12].unique().item() == pytest.approx((1200 - 2594.14080798) / 1231.58581042)
    assert batch["image"][0, 1].unique().item() == 100
    assert made["label"].tolist() == list(range(10))


def test_a_split_that_a_set_has_not_is_one_line(tmp_path):
    write_eurosat(tmp_path / "eurosat")
    trial = config("eurosat", "eurosat", "task=classification")
    assert list(open_splits(trial, ["val"])[1]) == ["val"]
    with pytest.raises(DataError, match=r"EuroSAT.*: it gives no split test$"):
        open_splits(trial, ["val", "test"])


def test_bands_are_chosen_by_the_names_that_backbones_know(tmp_path):
    write_eurosat(tmp_path / "eurosat")
    datamodule = open_datamodule(config("eurosat", "eurosat", "data.bands=[RED,NIR_NARROW,SWIR_1]"))
    assert first(datamodule, "val")["image"][0, :, 0, 0].tolist() == [300, 1200, 1000]
    with pytest.raises(InvalidConfig, match=r"data.bands: data=eurosat has no VV; it has COASTAL_AEROSOL"):
        open_datamodule(config("eurosat", "eurosat", "data.bands=[VV]"))


def test_a_test_split_is_given_where_there_is_one_and_asked_for(tmp_path):
    write_eurosat(tmp_path / "eurosat")
    trial = config("eurosat", "eurosat")
    assert list(datasets(open_datamodule(trial), test=True)) == ["train", "val"]
    write_eurosat(tmp_path / "eurosat", ("train", "val", "test"))
    assert list(datasets(open_datamodule(trial), test=True)) == ["train", "val", "test"]
    assert list(datasets(open_datamodule(trial))) == ["train", "val"]


def write_sen1floods11(root):
    lists = root / "v1.1/splits/flood_handlabeled"
    lists.mkdir(parents=True)
    for split, chips in {"train": ("Ghana_103", "Ghana_7"), "valid": ("Spain_5",)}.items():
        (lists / f"flood_{split}_data.txt").write_text("".join(f"{chip}_\n" for chip in chips))
        for chip in chips:
            hand = root / "v1.1/data/flood_events/HandLabeled"
            values = (1000 * np.arange(13, dtype=np.int16))[:, None, None]
            write(hand / "S2Hand" / f"{chip}_S2Hand.tif", np.broadcast_to(values, (13, 32, 32)).copy())
            label = np.zeros((1, 32, 32), np.int16)
            label[:, :8], label[:, 8:16] = -1, 1
            write(hand / "LabelHand" / f"{chip}_LabelHand.tif", label)


def test_sen1floods11_is_read_in_reflectance_with_its_unlabelled_pixels(tmp_path):
    write_sen1floods11(tmp_path / "floods")
    datamodule = open_datamodule(config("sen1floods11", tmp_path / "floods"))
    assert {split: len(dataset) for split, dataset in datasets(datamodule).items()} == {"train": 2, "val": 1}
    batch = first(datamodule, "train", 2)
    made = normalized_by(datamodule, batch, training=True)
    assert made["image"].shape == (2, 13, 32, 32)
    # RED and NIR_NARROW with TerraTorch's statistics of the set.
    assert made["image"][0, 3].unique().item() == pytest.approx((0.3 - 0.12353792) / 0.08692279)
    assert made["image"][0, 8].unique().item() == pytest.approx((0.8 - 0.30902815) / 0.11798815)
    assert made["mask"].dtype == torch.int64
    assert made["mask"].shape == (2, 32, 32)
    assert made["mask"][0, :, 0].tolist() == [-1] * 8 + [1] * 8 + [0] * 16


def write_burn_scars(root):
    for split, tile in (("training", "T10SEH.2018190"), ("validation", "T11SMS.2020250")):
        name = f"subsetted_512x512_HLS.S30.{tile}.v1.4"
        values = np.linspace(0, 0.5, 6, dtype=np.float32)[:, None, None]
        write(root / split / f"{name}_merged.tif", np.broadcast_to(values, (6, 32, 32)).copy())
        label = np.zeros((1, 32, 32), np.int16)
        label[:, :8], label[:, 8:16] = -1, 1
        write(root / split / f"{name}.mask.tif", label)


def test_burn_scars_are_read_and_their_validation_split_is_no_test_split(tmp_path):
    write_burn_scars(tmp_path / "scars")
    datamodule = open_datamodule(config("burn_scars", tmp_path / "scars"))
    made = normalized_by(datamodule, first(datamodule, "val"), training=False)
    assert made["image"].shape == (1, 6, 32, 32)
    # SWIR_2 with TerraTorch's statistics of the set.
    assert made["image"][0, 5].unique().item() == pytest.approx((0.5 - 0.11944914225186566) / 0.07241979477437814)
    assert made["mask"][0, :, 0].tolist() == [-1] * 8 + [1] * 8 + [0] * 16
    assert list(datasets(datamodule, test=True)) == ["train", "val"]


GEOBENCH_PX = {"m_bigearthnet": 120, "m_forestnet": 332, "m_nz_cattle": 500, "m_neontree": 400}
"""Sizes of the files, where the configuration brings them to another one."""


def write_geobench(root, trial):
    """A tile per split, in every band the mean that TerraTorch knows of it."""
    module = importlib.import_module(trial.data.datamodule.rpartition(".")[0])
    kind = getattr(module, trial.data.datamodule.rpartition(".")[2])
    home = sys.modules[kind.__module__]
    folder = root / GEOBENCH_FOLDERS[trial.data.name]
    folder.mkdir(parents=True)
    size = GEOBENCH_PX.get(trial.data.name.removeprefix("geobench_"), trial.data.tile_px)
    tiles = {"train": ["1.0_2.0_2015_05_06"], "valid": ["3.0_4.0_2016_05_06"], "test": ["5.0_6.0_2017_05_06"]}
    (folder / "default_partition.json").write_text(json.dumps(tiles))
    names = [name for (name,) in tiles.values()]
    (folder / "label_map.json").write_text(json.dumps({"river": names[:1], "lake": names[1:]}))
    vector = [1, 0] * (trial.data.num_classes // 2) + [1] * (trial.data.num_classes % 2)
    (folder / "label_stats.json").write_text(json.dumps(dict.fromkeys(names, vector)))
    for name in names:
        with h5py.File(folder / f"{name}.hdf5", "w") as file:
            for place, band in enumerate(kind_bands(home)):
                file[f"{place:02d} - {band}_2015-05-06"] = np.full((size, size), home.MEANS[band], np.float32)
            if trial.data.tasks == ["segmentation"]:
                file["label"] = np.ones((size, size), np.uint8)
            # As GEO-Bench's writer does it.
            file.attrs["pickle"] = repr(pickle.dumps({"label": 1}))


def kind_bands(home):
    """TerraTorch's names of all bands, in the order of the sorted names in the files."""
    (dataset,) = [value for name, value in vars(home).items() if hasattr(value, "all_band_names")]
    return dataset.all_band_names


@pytest.mark.parametrize("name", GEOBENCH_FOLDERS)
def test_every_geobench_set_is_read_in_the_size_and_with_the_statistics_that_are_said(name, tmp_path):
    trial = config(name, tmp_path / "geobench")
    write_geobench(tmp_path / "geobench", trial)
    datamodule = open_datamodule(trial)
    for split, training in (("train", True), ("val", False)):
        made = normalized_by(datamodule, first(datamodule, split), training)
        assert made["image"].shape == (1, len(trial.data.bands), trial.data.tile_px, trial.data.tile_px)
        assert made["image"].dtype == torch.float32
        assert made["image"].abs().max() < 1e-3
        labels = made["mask" if trial.data.tasks == ["segmentation"] else "label"]
        assert int(labels.max()) < trial.data.num_classes
        expected = {"segmentation": (1, *made["image"].shape[2:]), "multilabel": (1, 43)}
        assert labels.shape == expected.get(trial.data.tasks[0], (1,))
    if trial.data.class_names:
        assert len(trial.data.class_names) == trial.data.num_classes


def test_geobench_eurosat_gives_each_band_by_what_it_is(tmp_path):
    """Its means tell: the band that the files call SWIR_2 has the mean of EuroSAT's B8A, and so on."""
    from terratorch.datamodules.m_eurosat import MEANS
    from torchgeo.datamodules.eurosat import MEAN

    names = config("eurosat", tmp_path).data.arguments["bands"]
    theirs = config("geobench_m_eurosat", tmp_path).data.arguments["bands"]
    for band in ("NIR_NARROW", "WATER_VAPOR", "CIRRUS", "SWIR_1", "SWIR_2"):
        assert MEANS[theirs[band]] == pytest.approx(MEAN[names[band]], rel=0.05)
        assert MEANS[band] != pytest.approx(MEAN[names[band]], rel=0.05)


@pytest.mark.parametrize("name", SOURCES)
def test_a_set_that_is_not_there_is_not_opened(name, tmp_path):
    for root in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DataError, match="get the set from"):
            open_datamodule(config(name, root))


@pytest.mark.parametrize("name", SOURCES)
def test_a_relative_root_is_absolute_for_a_datamodule(name):
    assert "data" not in built_with(config(name, "data")).values()


HOMEMADE = """
import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset


class Ramp(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return {"image": torch.arange(8.0).reshape(1, 2, 4) + index, "mask": torch.ones(1, 2, 4).long(), "id": index}


class Stream(IterableDataset):
    def __iter__(self):
        return iter(Ramp())


class Pairs(Ramp):
    def __getitem__(self, index):
        return torch.zeros(1, 2, 4), 0


class Nothing(Ramp):
    def __len__(self):
        return 0


class Homemade(pl.LightningDataModule):
    KINDS = {"ramp": Ramp, "stream": Stream, "pairs": Pairs, "nothing": Nothing}

    def __init__(self, factor, kind="ramp"):
        super().__init__()
        self.factor, self.kind = factor, kind

    def train_dataloader(self):
        return DataLoader(self.KINDS[self.kind](), batch_size=2)

    def val_dataloader(self):
        return [DataLoader(self.KINDS[self.kind](), batch_size=2)]

    def on_after_batch_transfer(self, batch, dataloader_idx):
        batch["image"] *= self.factor
        if self.trainer.training:
            batch["image"] = batch["image"].flip(-1)
        return batch


class Faulty(Homemade):
    def __init__(self, place, error):
        super().__init__(factor=1)
        self.place, self.error = place, error
        self.fail("constructor")

    def fail(self, place):
        if place == self.place:
            raise {"host": MemoryError(), "device": torch.OutOfMemoryError("CUDA out of memory"),
                   "plain": ValueError("a fault of three words"), "exit": SystemExit(3)}[self.error]

    def setup(self, stage):
        self.fail(stage)

    def train_dataloader(self):
        self.fail("loader")
        return DataLoader([{"image": torch.zeros(1, 2, 4), "mask": torch.zeros(2, 4).long()}])

    def test_dataloader(self):
        self.fail("test loader")
        raise NotImplementedError

    def on_after_batch_transfer(self, batch, dataloader_idx):
        self.fail("hook")
        return batch


class Listing(Homemade):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        return list(batch.values())


class NoDatamodule:
    pass



"""


def homemade(tmp_path, *overrides):
    (tmp_path / "own_data.py").write_text(HOMEMADE)
    (tmp_path / "ends.py").write_text("raise SystemExit(1)")
    (tmp_path / "fails.py").write_text("1 / 0")
    sys.modules.pop("own_data", None)
    own = ["data.datamodule=own_data.Homemade", "data.bands=[RED]"]
    if not any(override.startswith("data.arguments={") for override in overrides):
        own.append("data.arguments={factor: 10}")
    return compose_trial("data=datamodule", *own, *overrides)


def test_a_datamodule_beside_the_sweep_file_goes_through_its_own_hook(tmp_path):
    datamodule = open_datamodule(homemade(tmp_path))
    batch = first(datamodule, "val", 3)
    trained, validated = (normalized_by(datamodule, batch, training) for training in (True, False))
    ramp = torch.arange(8.0).reshape(1, 1, 2, 4) + torch.arange(3.0).reshape(3, 1, 1, 1)
    assert torch.equal(validated["image"], 10 * ramp)
    assert torch.equal(trained["image"], (10 * ramp).flip(-1))
    assert trained["mask"].shape == (3, 2, 4)
    assert torch.equal(batch["image"], ramp)  # Although the hook multiplies in place.
    assert datamodule.trainer is None


class Watching(nn.Module):
    """Keeps what it is given, and scores two classes per pixel."""

    def __init__(self):
        super().__init__()
        self.layer, self.seen = nn.Conv2d(1, 2, 1), []

    def forward(self, images, **kwargs):
        self.seen.append(images)
        return ModelOutput(output=self.layer(images))


def test_a_trial_trains_and_evaluates_on_what_the_hooks_make(tmp_path):
    steps = ("train.max_steps=2", "train.untimed_steps=0", "train.batch_size=3")
    trial = homemade(tmp_path, "task=segmentation", "data.num_classes=2", *steps)
    data = open_data(trial)
    model = BuiltModel(module=Watching(), layout=None, trainable_parameters=4, total_parameters=4, weight_bytes=16)
    clock = StepClock([], torch.device("cpu"))
    trainer = build_trainer(trial, torch.device("cpu"), [clock], model, data, tmp_path)
    task = build_task(trial, model, data)
    fit(trainer, task, data, clock)
    logged = evaluate(trainer, task, data)
    ramp = 10 * torch.arange(8.0).reshape(2, 4)
    *trained, validated = (images.sort(dim=0).values[0, 0] for images in model.module.seen)
    assert [torch.equal(image, ramp.flip(-1)) for image in trained] == [True, True]  # In the second epoch as well.
    assert torch.equal(validated, ramp)
    assert 0 <= logged["val/Pixel_Accuracy"] <= 1


def faulty(place, error):
    return ["data.datamodule=own_data.Faulty", f"data.arguments={{place: {place}, error: {error}}}"]


BAD = {
    "no module": (["data.datamodule=Homemade"], InvalidConfig, "it names no module"),
    "no name": (["data.datamodule=own_data."], InvalidConfig, "it is no import path"),
    "a path": (["data.datamodule=own/data.Homemade"], InvalidConfig, "it is no import path"),
    "a part missing": (["data.datamodule=own_data..Homemade"], InvalidConfig, "it is no import path"),
    "a module that ends": (["data.datamodule=ends.Homemade"], InvalidConfig, "it can't be imported: SystemExit"),
    "a module that fails": (
        ["data.datamodule=fails.Homemade"],
        InvalidConfig,
        "can't be imported: division by zero",
    ),
    "a constructor that fails": (
        faulty("constructor", "plain"),
        InvalidConfig,
        "Faulty refuses them: a fault",
    ),
    "a constructor that ends": (faulty("constructor", "exit"), InvalidConfig, "Faulty refuses them: SystemExit: 3"),
    "a set-up that ends": (faulty("fit", "exit"), DataError, "Faulty can't open it: SystemExit: 3"),
    "no such module": (["data.datamodule=owned_data.Homemade"], InvalidConfig, "No module named 'owned_data'"),
    "no such class": (["data.datamodule=own_data.Homemad"], InvalidConfig, "has no attribute 'Homemad'"),
    "no datamodule": (["data.datamodule=own_data.NoDatamodule"], InvalidConfig, "is no lightning.pytorch.Lightning"),
    "another argument": (["data.arguments.size=3"], InvalidConfig, "Homemade refuses them.*size"),
    "no root": (["data.root=nowhere"], DataError, "there is no folder"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_datamodule_that_can_not_be_built_is_refused_in_one_line(name, tmp_path):
    overrides, error, told = BAD[name]
    with pytest.raises(error, match=told) as refused:
        open_datamodule(homemade(tmp_path, *overrides))
    assert "\n" not in str(refused.value)


PLACES = ("constructor", "fit", "validate", "loader", "hook")


@pytest.mark.parametrize(("error", "known"), [("host", HostOutOfMemory), ("device", DeviceOutOfMemory)])
@pytest.mark.parametrize("place", PLACES)
def test_memory_that_is_exhausted_while_data_are_opened_is_no_fault_of_theirs(place, error, known, tmp_path):
    trial = homemade(tmp_path, *faulty(place, error))
    with pytest.raises(known):
        open_data(trial).training_batch(torch.device("cpu"))


@pytest.mark.parametrize("place", ["test", "test loader"])
def test_a_test_split_that_does_not_fit_is_not_taken_for_none(place, tmp_path):
    datamodule = open_datamodule(homemade(tmp_path, *faulty(place, "host")))
    with pytest.raises(HostOutOfMemory):
        datasets(datamodule, test=True)


@pytest.mark.parametrize(("place", "known"), [("constructor", InvalidConfig), ("fit", DataError)])
def test_what_is_wrong_about_a_datamodule_keeps_its_reason(place, known, tmp_path):
    with pytest.raises(known) as refused:
        open_data(homemade(tmp_path, *faulty(place, "plain")))
    assert type(refused.value) is known


BROKEN = {
    "a loader that fails": (faulty("loader", "plain"), r"Faulty has no train samples: a fault of three words"),
    "a hook that fails": (faulty("hook", "plain"), r"Faulty fails on a batch: a fault of three words"),
    "a hook that makes a list": (["data.datamodule=own_data.Listing"], r"Listing makes a list of a batch; return the"),
    "a split without samples": (["data.arguments.kind=nothing"], r"the split train has no tiles; see docs/data\.md"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_batches_that_can_not_be_had_are_refused_with_the_reason(fault, tmp_path):
    overrides, told = BROKEN[fault]
    with pytest.raises(DataError, match=told) as refused:
        open_data(homemade(tmp_path, *overrides)).training_batch(torch.device("cpu"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("kind", "told"), [("stream", "from a Stream, not by place"), ("pairs", "sample is a tuple")])
def test_samples_that_can_not_be_used_are_refused_in_one_line(kind, told, tmp_path):
    datamodule = open_datamodule(homemade(tmp_path, f"data.arguments.kind={kind}"))
    with pytest.raises(DataError, match=told) as refused:
        datasets(datamodule)
    assert "\n" not in str(refused.value)
    assert "own_data.Homemade" in str(refused.value)
