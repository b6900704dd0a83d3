"""Trials are kept by their cost keys, the latest ones; what can't be read or written costs nothing."""

from terrasweep.predict.kept_measurements import keep_trial, read_trials


def test_the_latest_are_kept_and_a_trial_once(tmp_path):
    file = tmp_path / "kept" / "file.json"
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        keep_trial(file, key, value, int, most=2)
    assert read_trials(file, int) == {"a": 3, "c": 4}


def test_a_file_in_the_way_is_nothing_and_one_of_another_kind_is_begun_anew(tmp_path):
    (tmp_path / "kept").write_text("a file in the way")
    keep_trial(tmp_path / "kept" / "file.json", "a", 1, int)
    assert read_trials(tmp_path / "kept" / "file.json", int) == {}
    keep_trial(tmp_path / "other.json", "a", "one", str)
    assert read_trials(tmp_path / "other.json", int) == {}
    keep_trial(tmp_path / "other.json", "b", 2, int)
    assert read_trials(tmp_path / "other.json", int) == {"b": 2}
