"""Some tensors come out of a release, from the shards that hold them alone, and a fault is one line."""

import json

import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from safetensors.torch import save_file

from terrasweep.models.backbones import hub_files
from terrasweep.models.backbones.hub_files import SINGLE_FILES, find_release, open_release, read_tensors
from terrasweep.results.errors import InvalidConfig
from tests.unit.models.memory_faults import PLAIN, assert_comes_through, exhausted, raising

ENCODER = {"vision.w": torch.arange(3.0), "vision.b.scale": torch.ones(2)}
OTHERS = {"language.w": torch.zeros(2), "revision.w": torch.zeros(1), "head": torch.zeros(1)}


def write_shards(folder, index="model.safetensors.index.json"):
    files = {"a.safetensors": ENCODER, "b.safetensors": OTHERS}
    for file, tensors in files.items():
        save_file(tensors, folder / file)
    weight_map = {name: file for file, tensors in files.items() for name in tensors}
    (folder / index).write_text(json.dumps({"weight_map": weight_map}))


def write_whole(folder, file):
    if file.endswith("bin"):
        torch.save(ENCODER | OTHERS, folder / file)
    else:
        save_file(ENCODER | OTHERS, folder / file)


def assert_encoder(found):
    assert {name: tensor.tolist() for name, tensor in found.items()} == {"w": [0.0, 1.0, 2.0], "b.scale": [1.0, 1.0]}


@pytest.mark.parametrize("file", SINGLE_FILES)
def test_a_part_is_read_by_its_inner_names_out_of_one_file(tmp_path, file):
    write_whole(tmp_path, file)
    assert_encoder(read_tensors(str(tmp_path), "vision."))


def test_of_shards_only_those_with_the_part_are_opened(tmp_path):
    write_shards(tmp_path)
    (tmp_path / "b.safetensors").unlink()
    assert_encoder(read_tensors(str(tmp_path), "vision."))


def test_a_part_may_lie_inside_another_but_not_inside_a_name(tmp_path):
    save_file({"model.vision.w": torch.ones(1), "television.w": torch.zeros(1)}, tmp_path / "model.safetensors")
    assert read_tensors(str(tmp_path), "vision.")["w"].tolist() == [1.0]
    save_file({"television.w": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(InvalidConfig, match=r"it has no tensors vision\.\*"):
        read_tensors(str(tmp_path), "vision.")


@pytest.mark.parametrize("file", SINGLE_FILES)
def test_a_truncated_file_is_one_line(tmp_path, file):
    write_whole(tmp_path, file)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:60])
    with pytest.raises(InvalidConfig, match=f"{file} is truncated or no file of tensors") as refused:
        read_tensors(str(tmp_path), "vision.")
    assert "\n" not in str(refused.value)


def test_a_pickle_s_code_is_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return (tmp_path / "it-ran").touch, ()

    torch.save({"vision.w": Code()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InvalidConfig, match="no file of tensors"):
        read_tensors(str(tmp_path), "vision.")
    assert not (tmp_path / "it-ran").exists()


class Absent(EntryNotFoundError):
    def __init__(self):
        Exception.__init__(self, "404")


@pytest.mark.parametrize("error", [LocalEntryNotFoundError("offline\nmore"), OSError("no route"), ValueError("bad id")])
def test_a_hub_that_does_not_answer_is_told_and_is_no_absent_file(monkeypatch, error):
    def download(source, file):
        raise error

    monkeypatch.setattr(hub_files, "hf_hub_download", download)
    with pytest.raises(InvalidConfig, match="the Hub doesn't give it") as refused:
        find_release("someone/model", "config.json")
    assert "\n" not in str(refused.value)


def test_a_file_that_a_release_lacks_is_none_or_refused(monkeypatch, tmp_path):
    def download(source, file):
        raise Absent

    monkeypatch.setattr(hub_files, "hf_hub_download", download)
    for source in ("someone/model", str(tmp_path)):
        assert find_release(source, "config.json") is None
        with pytest.raises(InvalidConfig, match=r"it has no config\.json"):
            open_release(source, "config.json")


@exhausted
def test_memory_that_is_exhausted_while_asking_is_no_fault_of_the_source(monkeypatch, fault, known):
    monkeypatch.setattr(hub_files, "hf_hub_download", raising(fault))
    assert_comes_through(lambda: find_release("someone/model", "config.json"), fault, known)


@exhausted
def test_memory_that_is_exhausted_while_reading_is_no_broken_file(tmp_path, monkeypatch, fault, known):
    (tmp_path / "weights.bin").write_bytes(b"0123456789")
    monkeypatch.setattr(torch, "load", raising(fault))
    assert_comes_through(lambda: hub_files._read(str(tmp_path), "weights.bin", str), fault, known)


def test_a_file_whose_reading_fails_otherwise_is_refused(tmp_path, monkeypatch):
    (tmp_path / "weights.bin").write_bytes(b"0123456789")
    monkeypatch.setattr(torch, "load", raising(PLAIN))
    with pytest.raises(InvalidConfig, match="of another shape"):
        hub_files._read(str(tmp_path), "weights.bin", str)
