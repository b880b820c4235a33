"""What scoring a file gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.errors import DataError
from distillery.scoring import ScoreConfig, score_files
from distillery.scoring.inputs import InputFile
from tests.exported import exported_student, raw_rows
from tests.terminal import error_terminal


def read(path):
    """A file, or a folder's files in name order."""
    path = Path(path)
    return pd.concat([pd.read_parquet(part) for part in ([path] if path.is_file() else sorted(path.iterdir()))])


def test_every_row_gets_probabilities_a_prediction_and_the_version(score, model, rows, tmp_path):
    """In the input's order, beside its keys."""
    rows.to_parquet(tmp_path / "in.parquet", index=False)
    scored = score("in.parquet", keys=("id",))
    found = read(tmp_path / "out.parquet")
    proba = model.predict_proba(rows)
    assert list(found) == ["id", "probability_no", "probability_yes", "prediction", "model_version"]
    assert list(found["id"]) == list(rows["id"])
    np.testing.assert_array_equal(found[["probability_no", "probability_yes"]], proba.astype(np.float32))
    assert list(found["prediction"]) == [("no", "yes")[k] for k in proba.argmax(axis=1)]
    assert set(found["model_version"]) == {"7"}
    assert (scored.rows, scored.chunks, scored.resumed_chunks) == (len(rows), 3, 0)
    assert f"{len(rows):,} rows scored by toy-student version 7 in 3 chunks" in str(scored)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_three_classes_keep_their_own_type(rows, tmp_path):
    """A class that is a number is predicted as a number."""
    rows.to_parquet(tmp_path / "in.parquet", index=False)
    config = ScoreConfig(model="m", input=str(tmp_path / "in.parquet"), output=str(tmp_path / "out.parquet"))
    score_files(exported_student((0, 1, 2)), config, version="1", progress=print)
    found = read(tmp_path / "out.parquet")
    assert list(found)[:3] == ["probability_0", "probability_1", "probability_2"]
    assert found["prediction"].dtype == np.int64
    np.testing.assert_allclose(found.iloc[:, :3].sum(axis=1), 1, atol=1e-6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, model, rows):
    """A folder with the rows as CSV and as Parquet, and their probabilities."""
    folder = tmp_path_factory.mktemp("whole")
    rows.to_csv(folder / "in.csv", index=False)
    rows.to_parquet(folder / "in.parquet", index=False, row_group_size=70)
    return folder, model.predict_proba(rows)


@settings(max_examples=15, deadline=None)
@given(
    chunk_rows=st.integers(1, 400), kind=st.sampled_from(["csv", "parquet"]), ending=st.sampled_from([".parquet", ""])
)
def test_any_chunk_size_gives_the_same_output(whole, model, rows, chunk_rows, kind, ending):
    """From CSV as from Parquet, into one file as into many, up to float32's last bit."""
    folder, proba = whole
    config = ScoreConfig(
        model="m",
        input=str(folder / f"in.{kind}"),
        output=str(folder / f"out{ending}"),
        keys=("id",),
        chunk_rows=chunk_rows,
        overwrite=True,
    )
    scored = score_files(model, config, version="1", progress=lambda _: None)
    found = read(config.output)
    assert scored.chunks == -(-len(rows) // chunk_rows)
    assert list(found["id"]) == list(rows["id"])
    np.testing.assert_allclose(found[["probability_no", "probability_yes"]], proba, atol=2e-7)


def test_a_folder_is_scored_in_name_order(score, model, rows, tmp_path):
    """CSV, gzipped CSV and Parquet side by side; hidden files and those of other kinds are no data."""
    folder = tmp_path / "in"
    folder.mkdir()
    rows[200:].to_parquet(folder / "c.parquet", index=False)
    rows[:100].to_csv(folder / "a.csv", index=False)
    rows[100:200].to_csv(folder / "b.csv.gz", index=False)
    rows[:0].to_parquet(folder / "d.parquet", index=False)
    for other in ("_SUCCESS", ".hidden.csv", "notes.txt"):
        (folder / other).write_text("no data")
    scored = score("in", keys=("id",), chunk_rows=60)
    found = read(tmp_path / "out.parquet")
    assert list(found["id"]) == list(rows["id"])
    np.testing.assert_allclose(found["probability_yes"], model.predict_proba(rows)[:, 1], atol=2e-7)
    assert scored.chunks == 2 + 2 + 2


def test_without_parquet_in_its_name_the_output_is_a_folder_of_chunks(score, rows, tmp_path):
    """Each as one part."""
    rows.to_parquet(tmp_path / "in.parquet", index=False)
    score("in.parquet", output="scores", chunk_rows=250)
    assert [p.name for p in sorted((tmp_path / "scores").iterdir())] == ["part-00000.parquet", "part-00001.parquet"]
    assert len(pd.read_parquet(tmp_path / "scores")) == len(rows)


KEYS = {
    "whole numbers with a gap": pa.array([2**60 + 1, None, 3]),
    "bytes": pa.array([b"\x00", b"", None]),
    "lists": pa.array([[1, 2], None, []]),
    "structs": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "NA"}]),
    "points in time": pa.array([1, None, 3], pa.timestamp("us", "Europe/Oslo")),
    "decimals": pa.array(["1.50", None, "-2.00"]).cast(pa.decimal128(9, 2)),
    "categories": pa.array(["b", "a", None]).dictionary_encode(),
    "spellings of missing": pa.array(["", "NA", "nan"]),
    "nothing": pa.nulls(3),
}


@pytest.mark.parametrize("name", KEYS, ids=lambda name: name.replace(" ", "_"))
@pytest.mark.parametrize("output", ["out.parquet", "out"])
def test_a_key_of_any_type_is_passed_through(score, rows, tmp_path, name, output):
    """Values and type are those of the input."""
    table = pa.Table.from_pandas(rows.head(3), preserve_index=False).append_column("any.key", KEYS[name])
    pq.write_table(table, tmp_path / "in.parquet")
    score("in.parquet", output=output, keys=("any.key", "age"), chunk_rows=2)
    found = pq.read_table(tmp_path / output)
    assert found["any.key"].type == KEYS[name].type
    assert found["any.key"].to_pylist() == KEYS[name].to_pylist()
    assert found["age"].to_pylist() == rows["age"].head(3).tolist()


def test_a_key_of_a_csv_is_the_text_that_stands_there(score, rows, tmp_path):
    """Zeros in front, and what would be missing in a feature, are kept."""
    keys = ["007", "", "NA", "1.50", " x "]
    rows.head(5).assign(id=keys).to_csv(tmp_path / "in.csv", index=False)
    score("in.csv", keys=("id",))
    assert list(read(tmp_path / "out.parquet")["id"]) == keys


def test_columns_that_are_not_needed_are_noted_and_left_out(score, rows, tmp_path, notes):
    """And not read."""
    rows.to_parquet(tmp_path / "in.parquet", index=False)
    score("in.parquet")
    assert notes == ["columns that are not needed are left out: id, note"]


def test_a_batch_of_the_model_is_no_border(score, model, tmp_path):
    """A chunk goes through the model in pieces; rows are scored as they are alone."""
    rows = raw_rows(20_000, seed=3)
    rows.to_parquet(tmp_path / "in.parquet", index=False)
    score("in.parquet", chunk_rows=15_000)
    np.testing.assert_allclose(
        read(tmp_path / "out.parquet")["probability_yes"], model.predict_proba(rows)[:, 1], atol=2e-7
    )


def test_keys_that_are_named_as_scores_are_refused(score, rows, tmp_path):
    """A table has each name once."""
    rows.assign(prediction=1).to_parquet(tmp_path / "in.parquet", index=False)
    with pytest.raises(DataError, match=r"keys must not be named as the scores are, got 'prediction'"):
        score("in.parquet", keys=("prediction",))


def test_rows_are_counted_in_a_terminal(score, rows, tmp_path):
    """The output is the same; elsewhere nobody counts the rows of the input."""
    rows.to_parquet(tmp_path / "in.parquet", index=False)
    with error_terminal() as terminal:
        score("in.parquet", output="shown.parquet")
    assert re.search(r"scoring: +0%\|.*0/300 \[", terminal.close())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(InputFile, "rows", property(lambda _: pytest.fail("counted")))
        score("in.parquet", output="plain.parquet")
    assert (tmp_path / "shown.parquet").read_bytes() == (tmp_path / "plain.parquet").read_bytes()
