"""The configurations that are written of recommended trials run them again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import yaml

from terrasweep.report.recommendations import choose
from terrasweep.report.recommended_configurations import recommended_yaml, write_recommendations
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample


def test_a_file_whose_role_nobody_fills_any_more_goes(tmp_path: Path) -> None:
    record, results = sample.study()
    write_recommendations(tmp_path, summarize(record, results))
    assert len(list((tmp_path / "recommended").iterdir())) == 4
    write_recommendations(tmp_path, summarize(record, []))
    assert list((tmp_path / "recommended").iterdir()) == []


def test_the_yaml_is_the_trials_configuration(tmp_path: Path) -> None:
    record, results = sample.study()
    write_recommendations(tmp_path, summarize(record, results))
    chosen = choose(summarize(record, results))
    for role, result in chosen.items():
        text = (tmp_path / "recommended" / f"{role}.yaml").read_text()
        loaded = yaml.safe_load(text)
        assert loaded.pop("defaults") == ["base", "_self_"]
        assert loaded == {key: value for key, value in result.config.items() if key != "trial"}
        assert list(loaded) == [key for key in result.config if key != "trial"]
        assert f"python sweep.py --config-dir results/prithvi-floods/recommended --config-name {role}" in text


def test_nothing_in_a_result_escapes_the_yamls_comment() -> None:
    record = sample.record(name="two\nlines")
    result = dataclasses.replace(sample.complete(0, {"accuracy": 0.5}, key="a\nb: c"), device="x\nevil: true")
    assert set(yaml.safe_load(recommended_yaml(record, result, "run"))) == {"defaults", "train"}


def test_sentences_of_the_yamls_comment_are_wrapped_and_its_command_is_not() -> None:
    record, result = sample.record(), sample.complete(0, {"accuracy": 0.5})
    sentence, command = "as fast as trial 2 within the error " * 9, "python sweep.py key=value " * 9
    lines = recommended_yaml(record, result, command.strip(), [sentence.strip()]).splitlines()
    assert f"#   {command.strip()}" in lines
    rest = [line for line in lines if "sweep.py" not in line]
    assert max(map(len, rest)) <= 120
    assert sentence.strip() in " ".join(line.removeprefix("#").strip() for line in rest)
