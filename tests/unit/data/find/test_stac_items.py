"""Items of a catalogue are samples, with their assets for files."""

import json

import pytest

from terrasweep.data.find.sample_list import MASK, find_samples
from terrasweep.data.find.stac_items import assets_in, is_stac_folder
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError
from tests.composing import compose_trial


def item(name, assets, **properties):
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "properties": properties, "assets": assets}


def assets(name, **more):
    return {
        "visual": {"href": f"../else/{name}.tif", "roles": ["data"]},
        "labels": {"href": f"../else/{name}_gt.png", "roles": ["labels"]},
        "thumbnail": {"href": "https://example.org/a.png", "roles": ["thumbnail"]},
    } | more


@pytest.fixture
def folder(tmp_path):
    """A folder of catalogues beside the one with the scenes."""
    (tmp_path / "else").mkdir()
    for name in "abc":
        for file in (f"{name}.tif", f"{name}_gt.png", f"{name}_B4.tif"):
            (tmp_path / "else" / file).touch()
    (tmp_path / "stac").mkdir()
    return tmp_path / "stac"


def write(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def listed(root, *overrides, by="fraction"):
    given = ("data=segmentation_folder", f"data.root={root}", f"data.split.by={by}")
    return find_samples(compose_trial(*given, *overrides), root)


def items(folder):
    for name in "ab":
        write(folder / f"{name}.json", item(name, assets(name)))
    return folder


def item_collection(folder):
    return write(folder / "all.json", {"type": "FeatureCollection", "features": [item(n, assets(n)) for n in "ab"]})


def collection(folder):
    for name in "ab":
        deeper = {key: asset | {"href": asset["href"].replace("../", "../../")} for key, asset in assets(name).items()}
        write(folder / name / f"{name}.json", item(name, deeper))
    links = [{"rel": "item", "href": f"./{name}/{name}.json"} for name in "ab"]
    links += [{"rel": "self", "href": "https://example.org"}, {"rel": "child", "href": "collection.json"}]
    return write(folder / "collection.json", {"type": "Collection", "stac_version": "1.0.0", "id": "x", "links": links})


def collection_folder(folder):
    return collection(folder).parent


@pytest.mark.parametrize("way", [items, item_collection, collection, collection_folder])
def test_items_are_read_wherever_they_are_listed(folder, way):
    root = way(folder)
    listing = listed(root)
    assert listing.names == {"all": ["a", "b"]}
    for name in "ab":
        assert listing.file("all", name, IMAGE).samefile(folder.parent / "else" / f"{name}.tif")
        assert listing.file("all", name, MASK).samefile(folder.parent / "else" / f"{name}_gt.png")
    assert "read as 2 STAC items" in listing.remarks[0]["line"]
    known = {path.resolve().name for path in assets_in(root)}
    assert {"a.tif", "a_gt.png", "b.tif", "b_gt.png"} <= known


@pytest.mark.parametrize("key", ["split", "ml-aoi:split"])
def test_items_say_their_split(folder, key):
    for name, split in (("a", "train"), ("b", "validate"), ("c", "test")):
        write(folder / f"{name}.json", item(name, assets(name), **{key: split}))
    assert listed(folder, by="folders").names == {"train": ["a"], "val": ["b"], "test": ["c"]}
    write(folder / "c.json", item("c", assets("c"), **{key: "holdout"}))
    with pytest.raises(DataError, match="item c: holdout is no split"):
        listed(folder, by="folders")


def test_assets_are_named_by_key(folder):
    for name in "ab":
        band = {"B4": {"href": f"../else/{name}_B4.tif", "roles": ["data"]}}
        write(folder / f"{name}.json", item(name, assets(name, **band)))
    with pytest.raises(
        DataError, match=r"item a: 2 assets have the role data \(visual, B4\); name .* data.image_folder=KEY"
    ):
        listed(folder)
    listing = listed(folder, "data.image_folder=B4", "data.label_folder=labels")
    assert listing.file("all", "b", IMAGE).samefile(folder.parent / "else" / "b_B4.tif")


def test_an_asset_per_modality(folder):
    for name in "ab":
        band = {"B4": {"href": f"../else/{name}_B4.tif"}}
        write(folder / f"{name}.json", item(name, assets(name, **band)))
    several = "+data.modalities={S2: {folder: visual}, RED: {folder: B4}}"
    listing = listed(folder, "data=multimodal_folder", several)
    assert [listing.file("all", "a", kind).name for kind in ("S2", "RED", MASK)] == ["a.tif", "a_B4.tif", "a_gt.png"]
    with pytest.raises(
        DataError, match=r"item a: there is no asset S1 \(it has visual, labels, thumbnail and 1 more\)"
    ):
        listed(folder, "data=multimodal_folder", "+data.modalities={S2: {folder: visual}, S1: {folder: S1}}")


def test_references_may_be_written_like_web_addresses(folder):
    (folder.parent / "else" / "d é.tif").touch()
    (folder.parent / "else" / "d%20_gt.png").touch()
    own = {
        "visual": {"href": "../else/d%20%C3%A9.tif", "roles": ["data"]},
        "labels": {"href": f"file://{folder.parent}/else/d%20_gt.png", "roles": ["labels"]},
    }
    listing = listed(write(folder / "d.json", item("d", own)))
    assert listing.file("all", "d", IMAGE).samefile(folder.parent / "else" / "d é.tif")
    assert listing.file("all", "d", MASK).samefile(folder.parent / "else" / "d%20_gt.png")


WRONG = {
    "elsewhere": (
        item("a", assets("a", visual={"href": "s3://b/a.tif", "roles": ["data"]})),
        "item a: s3://b/a.tif is not on this machine; download it",
    ),
    "no mask": (item("a", {"visual": assets("a")["visual"]}), "item a: there is no mask; add its file"),
    "no file": (item("z", assets("z")), "2 files not there (first item z: "),
    "no STAC": ({"type": "Topology"}, "it is no STAC item, item collection, collection or catalogue; give one"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_told_with_its_item(folder, fault):
    content, told = WRONG[fault]
    with pytest.raises(DataError) as refused:
        listed(write(folder / "a.json", content))
    assert told in str(refused.value)


def test_what_is_no_json_is_refused(folder):
    (folder / "a.json").write_text("{")
    with pytest.raises(DataError, match="it can't be read as JSON"):
        listed(folder / "a.json")
    assert assets_in(folder / "a.json") == []


def test_annotations_are_no_catalogue(folder):
    write(folder / "annotations.json", {"images": [], "annotations": []})
    assert not is_stac_folder(folder)
    assert listed(items(folder)).names == {"all": ["a", "b"]}
    for name in "ab":
        (folder / f"{name}.json").unlink()
    write(folder / "item.json", item("a", {}))
    assert is_stac_folder(folder)
