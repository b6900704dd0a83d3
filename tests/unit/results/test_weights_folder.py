"""A trial's weights are there as a whole or not at all, whenever a writer is killed."""

import os
import shutil

import pytest

from terrasweep.results.weights_folder import WEIGHTS, accept, discard, draft_of


def write(folder, text):
    draft = draft_of(folder)
    (draft / "trained.safetensors").write_text(text)
    return draft


def stored(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_draft_becomes_the_weights_in_place_of_older_ones(tmp_path):
    for text in ("first", "second"):
        accept(write(tmp_path, text))
        assert stored(tmp_path) == {f"{WEIGHTS}/trained.safetensors": text}
    assert [folder.name for folder in tmp_path.iterdir()] == [WEIGHTS]


def test_a_draft_is_empty_even_where_a_process_of_the_same_number_left_one(tmp_path):
    write(tmp_path, "of a process that was killed")
    assert list(draft_of(tmp_path).iterdir()) == []


def test_discarded_weights_leave_nothing_and_there_need_be_none(tmp_path):
    discard(tmp_path)
    accept(write(tmp_path, "first"))
    discard(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", range(2))
def test_a_kill_at_any_moment_leaves_all_of_the_weights_or_none(tmp_path, monkeypatch, step):
    """Of the older ones before the exchange, none in the middle of it; never a part of them."""
    accept(write(tmp_path, "first"))
    draft = write(tmp_path, "second")
    replace, seen = os.replace, []

    def die_at(source, target):
        seen.append(source)
        if len(seen) == step + 1:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", die_at)
    with pytest.raises(KeyboardInterrupt):
        accept(draft)
    kept = {text for name, text in stored(tmp_path).items() if name.startswith(f"{WEIGHTS}/")}
    assert kept == ({"first"}, set())[step]
    assert stored(draft) == {"trained.safetensors": "second"}


def test_a_kill_while_files_are_removed_leaves_no_part_under_the_weights_name(tmp_path, monkeypatch):
    accept(write(tmp_path, "first"))

    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        discard(tmp_path)
    assert not (tmp_path / WEIGHTS).exists()
