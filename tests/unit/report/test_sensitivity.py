"""The calibration's ranking comes into the report as it was measured, escaped, and only where there is one."""

import dataclasses

from terrasweep.report import write_report
from terrasweep.report.sensitivity import SHOWN, kept_layers, rankings
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample


def calibrated(count):
    """The sample study, whose quantized trials kept their most sensitive layers; one name needs to be escaped."""
    record, trials = sample.study()
    names = [f"blocks.{i}.mlp<fc1>" for i in range(count)]
    errors = {name: 0.05 / (place + 1) for place, name in enumerate(names)}
    changed = [
        dataclasses.replace(result, sensitivity=errors, touched={"quantized": names[1 + (result.number or 0) % 2 :]})
        if result.searched["quantization"] != "none"
        else result
        for result in trials
    ]
    return record, changed


def test_a_ranking_per_quantization_says_who_kept_what():
    record, trials = calibrated(4)
    found = {ranking["quantization"]: ranking for ranking in rankings(summarize(record, trials))}
    assert found.keys() == {"int8", "nf4"}
    for option, ranking in found.items():
        with_it = [r for r in trials if r.searched["quantization"] == option]
        assert ranking["trials"] == len(with_it)
        layers = ranking["layers"]
        assert [layer["change"] for layer in layers] == ["5.0 %", "2.5 %", "1.7 %", "1.2 %"]
        assert [layer["share"] for layer in layers] == [100.0, 50.0, 33.3, 25.0]
        odd = sum((r.number or 0) % 2 for r in with_it)
        assert [layer["kept"] for layer in layers] == [len(with_it), odd, 0, 0]


def test_the_layers_that_were_kept_are_those_that_were_not_quantized():
    _, trials = calibrated(4)
    result = next(r for r in trials if r.sensitivity and (r.number or 0) % 2)
    assert kept_layers(result) == list(result.sensitivity)[:2]


def test_page_and_markdown_show_it_and_say_how_many_are_left_out(tmp_path):
    record, trials = calibrated(SHOWN + 3)
    write_report(tmp_path, record, trials)
    page, text = ((tmp_path / name).read_text() for name in ("report.html", "report.md"))
    assert 'id="sensitivity"' in page
    assert "blocks.0.mlp&lt;fc1&gt;" in page
    assert "blocks.0.mlp<fc1>" not in page
    for shown in (page, text):
        assert "and 3 more that change less" in shown
        assert f"blocks.{SHOWN}.mlp" not in shown.split("more that change less")[0]


def test_a_study_without_calibration_has_no_such_section(tmp_path):
    write_report(tmp_path, *sample.study())
    assert 'id="sensitivity"' not in (tmp_path / "report.html").read_text()
    assert "Sensitivity" not in (tmp_path / "report.md").read_text()
