"""What rules see of the files."""

from pathlib import Path

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.views.file_set import WARNING, FileSet, Remark
from terrasweep.data.views.headers import read_header
from tests.composing import compose_trial
from tests.unit.data.rasters import noise, write_raster


def test_a_rule_leaves_the_files_it_was_given(tmp_path):
    header = read_header(write_raster(tmp_path / "a.tif", noise(0)))
    files = FileSet(
        config=compose_trial(),
        samples=(("train", "a"), ("train", "b")),
        headers={"S2": [header, None], MASK: [header, None]},
        views={"S2": [None, None], MASK: [None, None]},
        folder=Path("made"),
    )
    remark = Remark(rule="size", level=WARNING, line="small")
    changed = files.with_remarks(remark).with_views("S2", [])
    assert (files.remarks, files.views["S2"]) == ((), [None, None])
    assert (changed.remarks, changed.views["S2"], changed.views[MASK]) == ((remark,), [], [None, None])
    assert files.modalities == ["S2"]
    assert files.subject("S2") == "data.root=None: S2"
    assert files.subject("image") == "data.root=None"
    assert (files.bands_key("S2"), files.given_bands("S2")) == ("data.bands", list(files.config.data.bands))
    assert files.readable("S2") == [header]
    assert [files.place("S2", index) for index in (0, 1)] == ["a.tif", "train/b"]
