"""What only the teacher may know reaches no student, in Python or in any file of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Column, Table
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.distillation import SoftLabels
from distillery.errors import InputError
from distillery.evaluation import Entry
from distillery.export import to_onnx
from distillery.students import LightCTRSpec, lesson_of
from distillery.students.inherit import InheritSpec
from distillery.teachers import XGBoostSpec
from steps import _registry
from steps._registry import signature
from steps.evaluate import _refuse_privileged
from tests.test_models import STUDENT_SPECS, TEACHER_SPECS, maker


def with_answer(table: Table) -> Table:
    """The table with a privileged column that tells the answer."""
    schema = table.schema
    answer = Column(name="answer", kind="numeric", lower=0, upper=1, privileged=True)
    frame = table.frame.assign(answer=table.frame[schema.target].astype(float))
    return Table(schema.model_copy(update={"columns": (*schema.columns, answer)}), frame)


LIGHT = LightCTRSpec(widths=(8,), bins=4, batch_size=64, inherit="compressed")
TAUGHT = [
    *((kind, spec, XGBoostSpec(trees=3, threads=1)) for kind, spec in STUDENT_SPECS.items()),
    ("inheriting", LIGHT, TEACHER_SPECS["deepfm"]),
    ("inheriting all", LIGHT.model_copy(update={"inherit": InheritSpec(how="embeddings")}), TEACHER_SPECS["deepfm"]),
    ("of a funnel", STUDENT_SPECS["multi_task"], TEACHER_SPECS["multi_task"]),
]


@pytest.mark.parametrize(("kind", "spec", "above"), TAUGHT, ids=[kind for kind, *_ in TAUGHT])
def test_no_student_reads_them(kind: str, spec: Any, above: Any) -> None:
    """Not its schema, its file's inputs in either form, or the signature it is registered with."""
    spec, above = (
        one.model_copy(update={"epochs": 1}) if "epochs" in type(one).model_fields else one for one in (spec, above)
    )
    table = with_answer(maker(spec)())
    rows = {split: table.rows(split) for split in ("train", "valid", "test")}
    teacher = above.fit(rows["train"], rows["valid"], table.schema, seed=0)
    assert "answer" in teacher.schema.names
    logits = {s: np.log(teacher.predict_proba(r.features).clip(1e-6)).astype(np.float32) for s, r in rows.items()}
    labels = SoftLabels(logits, np.full(len(rows["train"]), -1), "in_sample")
    student = spec.fit(lesson_of(table, teacher, labels), seed=0)
    named, tensors = student.exported(), to_onnx(student, form="tensors")
    asked = signature(named.schema).inputs.input_names()
    assert asked == named.inputs
    for names in (student.schema.names, named.inputs, asked, tensors.schema.names):
        table.schema.refuse_privileged(kind, names)
        assert "answer" not in names
    blind = rows["test"].features.drop(columns="answer")
    np.testing.assert_array_equal(student.predict_proba(blind), student.predict_proba(rows["test"].features))


def test_a_leak_is_named() -> None:
    """With who reads what."""
    schema = with_answer(maker(STUDENT_SPECS["mlp"])()).schema
    message = "the ONNX file of student mlp must read regular columns alone, got the privileged 'answer'"
    with pytest.raises(InputError, match=message):
        schema.refuse_privileged("the ONNX file of student mlp", ["city", "answer"])


def test_a_text_is_found_by_its_own_name() -> None:
    """A model of a text reads numbers made of it; the text is what must not be read."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    note = np.where(y == 1, "late again", "on time again")
    raw = pd.DataFrame({"size": rng.normal(size=300), "note": note, "y": y})
    roles = Roles("y", privileged=("note",), kinds={"note": "text"})
    table = build_table(raw, roles, SplitSpec(), seed=0)
    rows, stop = table.rows("train"), table.rows("valid")
    model = XGBoostSpec(trees=3, threads=1).fit_on(rows, stop, table.schema, seed=0)
    assert "note" not in model.schema.names
    entry = Entry(name="x", role="student", kind="xgboost", label="student x", model=model)
    with pytest.raises(InputError, match="student x must read regular columns alone, got the privileged 'note'"):
        _refuse_privileged(table, [entry])


def test_a_staged_model_that_reads_them_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was promoted before the column became privileged; it is not compared with, and the gate says why."""
    table = with_answer(maker(STUDENT_SPECS["mlp"])())
    model = XGBoostSpec(trees=3, threads=1).fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    monkeypatch.setattr(_registry, "staged_version", lambda _: SimpleNamespace(version="3", tags={}))
    monkeypatch.setattr(_registry, "open_onnx", lambda *_: to_onnx(model))
    staged = _registry.score_staged("toy-student", table)
    assert staged.proba is None
    assert "the staged model must read regular columns alone, got the privileged 'answer'" in staged.model.problem


def test_a_run_stops_at_a_leak() -> None:
    """Whoever is measured beside the teacher, in Python or as a file; the teacher itself may read all."""
    table = with_answer(maker(STUDENT_SPECS["mlp"])())
    model = XGBoostSpec(trees=3, threads=1).fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    entry = Entry(name="x", role="teacher", kind="xgboost", label="control x", model=model, deployed=to_onnx(model))
    _refuse_privileged(table, [entry])
    with pytest.raises(InputError, match="control x must read regular columns alone, got the privileged 'answer'"):
        _refuse_privileged(table, [replace(entry, role="control")])
    with pytest.raises(InputError, match="the ONNX file of control x must read regular columns alone"):
        _refuse_privileged(table, [replace(entry, role="control", model=None)])
