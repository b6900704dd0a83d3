"""What the page and its Markdown sister say in words and tables, ready to be laid out."""

from __future__ import annotations

from typing import Any

from terrasweep.measure.accuracy import ACCURACY, TEST_ACCURACY
from terrasweep.measure.catalog import NUMERIC_MEASUREMENTS, measurement_or_metric
from terrasweep.report.baseline_comparison import baseline_rows, beside_baselines
from terrasweep.report.confusion_section import confusion_cards
from terrasweep.report.data_section import data_section
from terrasweep.report.gate_note import gate_note
from terrasweep.report.labels import arithmetic_text, label, source_name, touched_text, trial_name, violation_text
from terrasweep.report.model_fit import FIT_COLUMNS, fit_rows
from terrasweep.report.recommendations import by_configuration, choose, remarks_on, shown_measurements
from terrasweep.report.recommended_configurations import command_for
from terrasweep.report.repeats_section import repeats_section
from terrasweep.report.reuse_note import reuse_note
from terrasweep.report.sensitivity import kept_layers, rankings
from terrasweep.report.speed_note import speed_note
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.report.tables import as_text, searched_text
from terrasweep.report.ties import front_ties, resolution_note
from terrasweep.report.why_proposed import why_proposed
from terrasweep.results.estimates import LEARNED, MEMORY_AND_SPEED
from terrasweep.results.secrets import masked
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import aligned, half_width, rounded, with_unit


def text_sections(outcome: StudyOutcome) -> dict[str, Any]:
    """Everything that both templates show, as plain strings, lists and dicts."""
    return {
        "name": outcome.record.name,
        "summary": summary(outcome),
        "counts": list(outcome.counts.items()),
        "objectives": [_objective(outcome, objective) for objective in outcome.objectives],
        "keys": outcome.searched_keys,
        "front": [_row(outcome, result) for result in outcome.front],
        "ties": front_ties(outcome),
        "resolution_note": resolution_note(outcome),
        "table_note": _table_note(outcome),
        "reuse_note": reuse_note(outcome),
        "gate_note": gate_note(outcome),
        "speed_note": speed_note(outcome),
        "knee": outcome.knee.number if outcome.knee else None,
        "recommendations": recommendations(outcome),
        "test_note": _test_note(outcome),
        "baselines": baseline_rows(outcome),
        "repeats": repeats_section(outcome),
        "failures": failures(outcome),
        "expectations": fit_rows(outcome),
        "expectation_columns": FIT_COLUMNS,
        "confusion": confusion_cards(outcome),
        "sensitivity": rankings(outcome),
        "data": data_section(outcome.record.data),
        "definitions": _definitions(outcome),
        "environment": _environment(outcome),
        "setup": _setup(outcome),
    }


def summary(outcome: StudyOutcome) -> str:
    """One or two sentences: how the trials ended, on what, and what the best ones reach."""
    total, planned = len(outcome.trials), outcome.record.n_trials
    of = f"{total} of {planned} trials" if total < planned else f"{total} trial{'' if total == 1 else 's'}"
    states = ", ".join(f"{count} {state}" for state, count in outcome.counts.items())
    devices = f" on {', '.join(outcome.devices)}" if outcome.devices else ""
    first = f"{of}{devices}{f': {states}' if states else ''}."
    if outcome.knee is None:
        return f"{first} None has completed, so there is nothing to recommend yet." if total else f"{first}"
    main = outcome.objectives[0]
    best = (max if main.maximize else min)(outcome.front, key=lambda result: result.value(main.name) or 0.0)
    name = label(main.name, outcome.accuracy_name)
    second = f"Best {name}: {rounded(best.value(main.name))} ({trial_name(best)})"
    if len(outcome.objectives) == 1:
        return f"{first} {second}."
    reached = ", ".join(_value(outcome, objective, outcome.knee) for objective in outcome.objectives)
    return f"{first} {second}; the best compromise, {trial_name(outcome.knee)}, reaches {reached}."


def recommendations(outcome: StudyOutcome) -> list[dict[str, Any]]:
    """A card per configuration: what it is recommended for, what it measured, what was searched, how to run it."""
    names = shown_measurements(outcome.objectives)
    return [
        {
            "roles": [role.name for role in card.roles],
            "title": card.title,
            "number": card.result.number,
            "values": [
                (label(name, outcome.accuracy_name), outcome.shown(card.result, name))
                for name in names
                if card.result.value(name) is not None
            ],
            "remarks": remarks_on(outcome, card.roles, card.result),
            "searched": [(key, searched_text(card.result, key)) for key in card.result.searched],
            "compared": beside_baselines(card.result, outcome.baselines, outcome.objectives, outcome.alike),
            "command": command_for(outcome.record, card.roles[0].name),
        }
        for card in by_configuration(outcome)
    ]


def _test_note(outcome: StudyOutcome) -> str:
    """What a test accuracy is beside the accuracy; empty where no recommended trial has one."""
    tested = any(result.value(TEST_ACCURACY.name) is not None for result in choose(outcome).values())
    return (
        "The test split is asked once, after the search: no trial was chosen by it. The accuracy beside it, of the "
        "validation split, chose these trials among all, and so tends to be too high."
        if tested
        else ""
    )


def failures(outcome: StudyOutcome) -> list[dict[str, Any]]:
    """Trials that did not complete, by reason, the most frequent one first."""
    reasons = {result.reason: result.state for result in outcome.trials if result.reason is not None}
    groups = [
        {
            "reason": str(reason),
            "state": str(state),
            "trials": [
                {"number": r.number, "message": r.message, "violation": violation_text(r.violation)}
                for r in outcome.trials
                if r.reason is reason
            ],
        }
        for reason, state in reasons.items()
    ]
    return sorted(groups, key=lambda group: -len(group["trials"]))


def trial_rows(outcome: StudyOutcome) -> list[dict[str, Any]]:
    """All trials for the page's table, each with what its row opens to."""
    return [_row(outcome, result) | {"details": _details(outcome, result)} for result in outcome.trials]


def _row(outcome: StudyOutcome, result: TrialResult) -> dict[str, Any]:
    """Cells are (shown, exact) pairs; both are empty where the trial has no value."""
    complete = result.state is State.COMPLETE
    values = [result.value(objective.name) if complete else None for objective in outcome.objectives]
    names = [objective.name for objective in outcome.objectives]
    standing = outcome.comparison.standing_text(outcome.place(result))
    return {
        "number": result.number,
        "state": str(result.state),
        "reason": str(result.reason or ""),
        "front": standing == "front",
        "standing": standing,
        "knee": result is outcome.knee,
        "values": [("", "") if value is None else (aligned(value), repr(value)) for value in values],
        "errors": [_error(outcome, result, name) for name in names],
        "sources": [_marked(_source(result, name) if complete else "") for name in names],
        "searched": [(_shortened(result, key), searched_text(result, key)) for key in outcome.searched_keys],
        "message": result.message,
        "violation": violation_text(result.violation),
    }


def _error(outcome: StudyOutcome, result: TrialResult, name: str) -> str:
    """Half of a number's interval; empty where it is unknown."""
    ends = outcome.interval(result, name)
    return f"± {half_width(*ends)}" if ends else ""


def _source(result: TrialResult, name: str) -> str:
    """The trial that a reused number is of; empty for the trial's own."""
    if name in MEMORY_AND_SPEED:
        return result.cost_from
    return result.accuracy_from if name in LEARNED or name in result.metrics else ""


def _marked(source: str) -> tuple[str, str]:
    """A source, short and in words; both are empty where a number is the trial's own."""
    return source, source_name(source) if source else ""


def _table_note(outcome: StudyOutcome) -> str:
    """What the marks in the trials' table mean, as far as there are any."""
    names = [objective.name for objective in outcome.objectives]
    error = any(outcome.interval(result, name) for result in outcome.ranked for name in names)
    reused = any(_source(result, name) for result in outcome.ranked for name in names)
    return " ".join(
        [
            *(["Values are pooled over all that was measured of a configuration; ± is half a 95 % interval."] * error),
            *(["↩ names the trial that a number was taken over from."] * reused),
        ]
    )


def _shortened(result: TrialResult, key: str) -> str:
    value = result.searched.get(key)
    return rounded(value) if isinstance(value, float) else searched_text(result, key)


def _details(outcome: StudyOutcome, result: TrialResult) -> dict[str, Any]:
    # As it was measured: a count stays one.
    result = outcome.own(result)
    measured = ((name, result.measurements.get(name)) for name in NUMERIC_MEASUREMENTS)
    facts = [
        ("proposed", why_proposed(result, outcome.accuracy_name)),
        ("disturbed", str(result.measurements.get("disturbed") or "")),
        ("accuracy from", _marked(result.accuracy_from)[1]),
        ("memory and speed from", _marked(result.cost_from)[1]),
        ("by its predicted memory", result.gate),
        ("touched", touched_text(result)),
        ("kept in full precision", ", ".join(kept_layers(result))),
        ("device", result.device),
        ("arithmetic", arithmetic_text(result)),
        ("started", result.started),
        ("commit", result.commit),
    ]
    return {
        "measurements": [
            (label(n, outcome.accuracy_name), rounded(v), as_text(v)) for n, v in measured if isinstance(v, int | float)
        ],
        "metrics": [(name, rounded(value), as_text(value)) for name, value in result.metrics.items()],
        "facts": [(name, text) for name, text in facts if text],
    }


def _objective(outcome: StudyOutcome, objective: Objective) -> dict[str, str]:
    name = label(objective.name, outcome.accuracy_name)
    return {"name": objective.name, "label": name, "direction": objective.direction}


def _value(outcome: StudyOutcome, objective: Objective, result: TrialResult) -> str:
    """``peak memory 3,120 MiB``."""
    measurement = measurement_or_metric(objective.name)
    name = label(objective.name, outcome.accuracy_name) if measurement is ACCURACY else measurement.label
    return f"{name} {with_unit(result.value(objective.name), measurement.unit_symbol)}"


def _definitions(outcome: StudyOutcome) -> list[tuple[str, str]]:
    """What each number that some trial has means; an objective of the task's own, too."""
    names = dict.fromkeys([*(objective.name for objective in outcome.objectives), *NUMERIC_MEASUREMENTS])
    known = [name for name in names if any(result.value(name) is not None for result in outcome.trials)]
    return [(label(name, outcome.accuracy_name), measurement_or_metric(name).definition) for name in known]


def _environment(outcome: StudyOutcome) -> list[tuple[str, str]]:
    used = "; ".join(dict.fromkeys(text for result in outcome.trials if (text := arithmetic_text(result))))
    facts = {**outcome.record.environment, "arithmetic": used}
    return [(name, masked(text)) for name, text in facts.items() if text]


def _setup(outcome: StudyOutcome) -> list[tuple[str, str]]:
    """How the study was set up, passwords in its URLs left out."""
    record = outcome.record
    directions = ", ".join(f"{objective.direction} {objective.name}" for objective in record.objectives)
    facts = [
        ("objectives", directions),
        *((f"searched {key}", text) for key, text in record.space.items()),
        ("overrides", " ".join(record.overrides)),
        ("sampler", f"{record.sampler}, seed {record.seed}" if record.sampler else ""),
        ("storage", record.storage),
        ("tracking", record.tracking_uri),
        ("started", record.started),
        ("ended early", record.ended_early),
    ]
    return [(name, masked(text)) for name, text in facts if text]
