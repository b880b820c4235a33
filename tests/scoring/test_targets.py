"""Scores of a model of several targets: the classes', and each target's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distillery.errors import DataError
from distillery.export import OnnxModel, to_onnx
from distillery.networks import FittedNetwork, Pupil
from distillery.scoring import ScoreConfig, score_files
from distillery.teachers import MLPTeacherSpec, MultiTaskTeacherSpec
from tests.checks import make_funnel, make_table

TARGETS = ["target_least_1", "target_least_2"]


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    """An exported network of a funnel, as it is before training."""
    table = make_funnel(classes=3)
    spec = MultiTaskTeacherSpec(architecture="esmm", widths=(6,), tower=(4,), bins=4)
    pupil = Pupil.of(spec, table.schema, table.rows("train"), table.rows("valid"))
    return OnnxModel(to_onnx(FittedNetwork(pupil.reading, pupil.network)).content)


def score(model: OnnxModel, folder: Path, *keys: str) -> pd.DataFrame:
    rows = make_funnel(classes=3).rows("test").features.assign(target_least_1=1)
    rows.to_parquet(folder / "in.parquet", index=False)
    config = ScoreConfig(model="m", input=str(folder / "in.parquet"), output=str(folder / "out.parquet"), keys=keys)
    score_files(model, config, version="1", progress=print)
    return pd.read_parquet(folder / "out.parquet")


def test_each_target_has_a_column(model: OnnxModel, tmp_path: Path) -> None:
    """It is the sum over the classes in which the target is 1; a later stage is never likelier."""
    found = score(model, tmp_path)
    assert list(found)[3:] == [*TARGETS, "prediction", "model_version"]
    classes = found[["probability_0", "probability_1", "probability_2"]].to_numpy()
    np.testing.assert_allclose(found[TARGETS], np.column_stack([classes[:, 1:].sum(1), classes[:, 2]]), atol=1e-6)
    assert (found[TARGETS[1]] <= found[TARGETS[0]]).all()


def test_a_key_must_not_be_called_as_a_target_s_scores(model: OnnxModel, tmp_path: Path) -> None:
    """It would be overwritten."""
    with pytest.raises(DataError, match="keys must not be named as the scores are, got 'target_least_1'"):
        score(model, tmp_path, "target_least_1")


def test_the_file_keeps_its_targets(model: OnnxModel) -> None:
    """And a file of one target says nothing of them, as files did before there were any."""
    assert model.schema.tasks == make_funnel(classes=3).schema.tasks
    assert model.schema.funnel
    table = make_table()
    pupil = Pupil.of(MLPTeacherSpec(widths=(4,)), table.schema, table.rows("train"), table.rows("valid"))
    plain = OnnxModel(to_onnx(FittedNetwork(pupil.reading, pupil.network)).content)
    assert plain.schema.tasks == ()
    assert '"tasks"' not in plain.metadata["distillery.interface"]
