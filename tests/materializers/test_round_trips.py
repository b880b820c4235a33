"""Every artifact type goes through its materializer unchanged, without pickle, and never half-read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from zenml.client import Client

import materializers
from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.drift import Drift, measure_drift
from distillery.data.sources import CtrLogSpec
from distillery.data.splits import SplitSpec
from distillery.data.validation import ExpectationResult, ValidationReport
from distillery.distillation import SoftLabels, SoftLabelsSpec, generate_soft_labels
from distillery.errors import ArtifactError
from distillery.evaluation import Entry, EvaluationSpec, evaluate_models, gathered
from distillery.promotion import GatesSpec, StagedModel, judge
from distillery.report.model import DataFacts, Origin, Report, SoftLabelFacts
from distillery.report.render import IllustratedReport
from distillery.report.scene import Drawing
from distillery.students import LogisticRegressionSpec, MLPSpec, SearchSpec, lesson_of
from distillery.teachers import DeepFMSpec, MLPTeacherSpec, XGBoostSpec


def small_table() -> Table:
    """A table whose column names and values are hard to escape."""
    rng = np.random.default_rng(3)
    n = 240
    raw = pd.DataFrame(
        {
            "a|b <i>": rng.normal(size=n),
            "größe": rng.choice(["ä", "b|", None, "<script>alert(1)</script>"], n),
            "day": np.repeat(np.arange(n // 8), 8),
        }
    )
    raw["y"] = (raw["a|b <i>"] + rng.normal(size=n) * 0.3 > 0).astype(int)
    return build_table(raw, Roles(target="y", group="day"), SplitSpec(), seed=0)


def validation_report() -> ValidationReport:
    """One expectation that held."""
    held = ExpectationResult(
        expectation="ExpectX",
        column="a|b <i>",
        split=None,
        success=True,
        checked=240,
        unexpected=0,
        examples=(),
        detail="",
        arguments={},
        repair="",
    )
    return ValidationReport(results=(held,), rows=240, columns=4)


def on_disk():
    """A log and its soft labels, most of which lie in files."""
    log = CtrLogSpec(rows=2_000, chunk_rows=300, sample=200).load(0)
    constant = DeepFMSpec(epochs=1, widths=(4,)).fit(log.rows("train"), log.rows("valid"), log.schema, seed=0)
    in_sample = SoftLabelsSpec(method="in_sample")
    return {
        "TableMaterializer on disk": log,
        "SoftLabelsMaterializer on disk": generate_soft_labels(log, constant, lambda *_: constant, in_sample, seed=0),
    }


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """One artifact of every type, made as the steps make them."""
    table = small_table()
    train, valid, test = (table.rows(name) for name in ("train", "valid", "test"))
    spec = XGBoostSpec(trees=10, threads=1)
    teacher = spec.fit(train, valid, table.schema, seed=0)
    labels = generate_soft_labels(
        table, teacher, lambda a, b: spec.fit(a, b, table.schema, seed=0), SoftLabelsSpec(folds=2), seed=0
    )
    lesson = lesson_of(table, teacher, labels)
    student = MLPSpec(widths=(4,), epochs=2).fit(lesson, seed=0)
    network = MLPTeacherSpec(widths=(4,), epochs=2).fit(train, valid, table.schema, seed=0)
    storage = f"sqlite:///{tmp_path_factory.mktemp('searches')}/optuna.db"
    search = SearchSpec(over={"alpha": (0.5, 0.9), "max_iterations": (1, 2000)}, storage=storage)
    linear = LogisticRegressionSpec(search=search).fit(lesson, seed=0)
    control = MLPSpec(widths=(4,), epochs=2).control().fit(lesson, seed=0)
    entries = [
        Entry("xgboost", "teacher", "xgboost", "teacher xgboost", model=teacher),
        Entry("mlp", "student", "mlp", "student mlp", model=student),
        Entry("mlp", "control", "mlp", "control mlp", model=control),
    ]
    cards = evaluate_models(
        entries,
        y=test.labels,
        features=test.features,
        weights=None,
        groups=table.groups("test"),
        spec=EvaluationSpec(replicates=20, cost=False),
        seed=0,
        scenario="small",
        classes=table.schema.classes,
    )
    verdict = judge(cards, GatesSpec(), StagedModel())
    validation = validation_report()
    report = Report(
        scenario="small",
        data=DataFacts.of(table),
        table_schema=table.schema,
        validation=validation,
        drift=measure_drift(table).report,
        soft_labels=SoftLabelFacts.of(labels, table),
        scorecards=cards,
        verdict=verdict,
        origin=Origin(created="2026-01-01", run="r", git_commit=None, versions={}, settings={}),
    )
    return {
        **on_disk(),
        "TableMaterializer": table,
        "SoftLabelsMaterializer": labels,
        "TeacherMaterializer": teacher,
        "StudentMaterializer": student,
        "StudentMaterializer linear": linear,
        "TeacherMaterializer network": network,
        "ScorecardsMaterializer": cards,
        "PredictionsMaterializer": gathered(entries, test.features, test.labels, None, 2),
        "VerdictMaterializer": verdict,
        "ValidationReportMaterializer": validation,
        "DriftMaterializer": measure_drift(table),
        "DriftMaterializer unmeasured": Drift.unmeasured(),
        "ReportMaterializer": IllustratedReport(report, (Drawing("roc", "quality", "<svg/>"),)),
    }


CASES = [
    *materializers.__all__,
    "StudentMaterializer linear",
    "TeacherMaterializer network",
    "DriftMaterializer unmeasured",
    "TableMaterializer on disk",
    "SoftLabelsMaterializer on disk",
]
ON_DISK = [case for case in CASES if case.endswith("on disk")]
MODELS = [case for case in CASES if case.startswith(("StudentMaterializer", "TeacherMaterializer"))]


@pytest.fixture
def store(tmp_path):
    """A folder inside a local artifact store."""
    store = Client().active_stack.artifact_store
    folder = Path(store.path) / "test" / tmp_path.name
    folder.mkdir(parents=True)
    return folder


def content_of(file):
    return file.read_bytes() if isinstance(file, Path) else file


def materializer_of(case, folder):
    return getattr(materializers, case.split()[0])(uri=str(folder))


@pytest.mark.parametrize("case", CASES)
def test_what_is_loaded_equals_what_was_saved(case, artifacts, store):
    """Round trip, checked by content: the files of the loaded artifact are those that were saved.

    A scikit-learn pipeline shares fewer of its settings' objects once loaded, so its file differs in
    that alone; the next test holds its numbers.
    """
    data, materializer = artifacts[case], materializer_of(case, store)
    materializer.save(data)
    loaded = materializer_of(case, store).load(type(data))
    assert type(loaded) is type(data)
    before, after = materializer.to_files(data), materializer.to_files(loaded)
    assert set(after) == set(before)
    for name in set(before) - {"model.skops"}:
        assert content_of(after[name]) == content_of(before[name]), name


@pytest.mark.parametrize("case", ON_DISK)
def test_large_files_are_read_where_they_lie(case, artifacts, store, monkeypatch):
    """From a store on another machine they are copied first; both say the same, and equal content has one hash."""
    data, materializer = artifacts[case], materializer_of(case, store)
    materializer.save(data)
    large = {name for name, file in materializer.to_files(data).items() if isinstance(file, Path)}
    assert large
    here = materializer.to_files(materializer.load(type(data)))
    assert {here[name].parent for name in large} == {store}
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.parent != store and exists(path))
    copied = materializer.to_files(materializer_of(case, store).load(type(data)))
    assert not {copied[name].parent for name in large} & {store}
    assert {name: content_of(copied[name]) for name in large} == {name: content_of(here[name]) for name in large}
    hashes = [materializer.compute_content_hash(materializer.from_files(files)) for files in (here, copied)]
    assert hashes[0] == hashes[1] == materializer.compute_content_hash(data)


@pytest.mark.parametrize("case", MODELS)
def test_a_loaded_model_predicts_the_same_numbers(case, artifacts, store):
    """Bit for bit, and the training curves and trials come back with a student."""
    model, materializer = artifacts[case], materializer_of(case, store)
    materializer.save(model)
    loaded = materializer.load(type(model))
    rows = artifacts["TableMaterializer"].rows("test").features
    np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
    for name in ("history", "trials"):
        assert getattr(loaded, name, None) == getattr(model, name, None)


@pytest.mark.parametrize("case", CASES)
def test_an_artifact_without_its_manifest_is_refused(case, artifacts, store):
    """The manifest is written last, so a save that broke off is never read."""
    materializer = materializer_of(case, store)
    materializer.save(artifacts[case])
    (store / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"is incomplete: it has no manifest\.json; run the step again"):
        materializer.load(type(artifacts[case]))


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_is_missing_or_changed_is_refused(case, artifacts, store):
    """Every file is checked against the manifest."""
    materializer = materializer_of(case, store)
    materializer.save(artifacts[case])
    for name in json.loads((store / "manifest.json").read_text()):
        content = (store / name).read_bytes()
        (store / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(ArtifactError, match=f"was changed: {name}"):
            materializer.load(type(artifacts[case]))
        (store / name).unlink()
        with pytest.raises(ArtifactError, match=f"{name} is missing"):
            materializer.load(type(artifacts[case]))
        (store / name).write_bytes(content)


@pytest.mark.parametrize("case", CASES)
def test_a_save_that_breaks_off_leaves_nothing_readable(case, artifacts, store, monkeypatch):
    """The disk fills up at the last file."""
    materializer = materializer_of(case, store)
    write = type(materializer)._write

    def full(self, name, content):
        if name == "manifest.json":
            raise OSError(28, "No space left on device")
        write(self, name, content)

    monkeypatch.setattr(type(materializer), "_write", full)
    with pytest.raises(OSError, match="No space left"):
        materializer.save(artifacts[case])
    with pytest.raises(ArtifactError, match="incomplete"):
        materializer.load(type(artifacts[case]))


@pytest.mark.parametrize("case", CASES)
def test_the_dashboard_gets_pages_and_metadata(case, artifacts, store):
    """Pages are written beside the artifact, escaped, and metadata has plain values."""
    materializer = materializer_of(case, store)
    metadata = materializer.extract_metadata(artifacts[case])
    assert metadata
    json.dumps(metadata)
    for uri, kind in materializer.save_visualizations(artifacts[case]).items():
        page = Path(uri).read_text()
        assert kind.value in {"html", "markdown"}
        assert "<script>alert" not in page
        assert case == "DriftMaterializer" or "<script>" not in page  # Evidently's page is drawn by its own
        assert "<i>" not in page.replace("\\|", "|")


def test_no_materializer_pickles(artifacts, store):
    """No saved file is a pickle or a zip that holds one."""
    for case in CASES:
        folder = store / case.replace(" ", "_")
        folder.mkdir()
        materializer_of(case, folder).save(artifacts[case])
    for path in store.rglob("*"):
        if path.is_file():
            assert not path.read_bytes().startswith(b"\x80"), path
            assert path.suffix not in {".pkl", ".pickle", ".pt", ".joblib"}


def test_soft_labels_keep_their_split_order(artifacts):
    """Loading gives every split, with the folds of training rows."""
    labels = artifacts["SoftLabelsMaterializer"]
    again = SoftLabels.from_files(labels.to_files())
    assert set(again.logits) == {"train", "valid", "test"}
    np.testing.assert_array_equal(again.fold, labels.fold)
