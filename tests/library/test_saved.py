from __future__ import annotations

import numpy as np
import pytest

from distillery import DistilledClassifier, load_student, load_teacher, save
from distillery.data.saved import MANIFEST
from distillery.errors import ArtifactError
from tests.library.conftest import TEACHER


@pytest.fixture
def model(frame):
    return DistilledClassifier(TEACHER, "logistic_regression", random_state=0).fit(
        frame[["signal", "city"]], frame["late"]
    )


def test_what_was_saved_predicts_the_same(model, frame, tmp_path):
    """Teacher and student come back from their folders, bit for bit."""
    for fitted, load in ((model.teacher_, load_teacher), (model.student_, load_student)):
        folder = save(fitted, tmp_path / "models" / fitted.spec.kind)
        np.testing.assert_array_equal(load(folder).predict_proba(frame), fitted.predict_proba(frame))


def test_a_saved_model_is_replaced_as_a_whole(model, tmp_path):
    """No file of the old one stays, and nothing lies beside it."""
    save(model.teacher_, tmp_path / "model")
    save(model.student_, str(tmp_path / "model"))
    assert load_student(tmp_path / "model").spec == model.student_.spec
    assert {path.name for path in (tmp_path / "model").iterdir()} == {*model.student_.to_files(), MANIFEST}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_other_files_are_not_overwritten(model, tmp_path):
    """A folder that holds something else stays as it is."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="must be a new folder or a saved model's, got other files"):
        save(model.student_, tmp_path)
    with pytest.raises(ArtifactError, match=r"notes.txt must be a new folder"):
        save(model.student_, tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_write_that_fails_leaves_the_old_model(model, tmp_path):
    """The folder is whole at any time."""

    class Broken:
        def to_files(self):
            return {"spec.json": b"{}", "no/such/folder.json": b""}

    save(model.student_, tmp_path / "model")
    with pytest.raises(FileNotFoundError):
        save(Broken(), tmp_path / "model")
    assert load_student(tmp_path / "model").spec == model.student_.spec
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / MANIFEST).unlink(), "must be a saved model's folder, but has no manifest.json"),
        (lambda folder: (folder / "model.skops").unlink(), "is incomplete: model.skops is missing"),
        (lambda folder: (folder / "spec.json").write_text("{}"), "was changed: spec.json is not what was saved"),
    ],
)
def test_what_is_not_whole_is_not_loaded(model, tmp_path, spoil, message):
    """The manifest tells."""
    spoil(save(model.student_, tmp_path / "model"))
    with pytest.raises(ArtifactError, match=message):
        load_student(tmp_path / "model")
