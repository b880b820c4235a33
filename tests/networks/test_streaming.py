"""Rows read from disk teach as rows in memory do: each once an epoch, beside its own soft labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from distillery.config import DistillConfig
from distillery.data import Rows, Table
from distillery.data.parts import PIECES
from distillery.data.rows import Fold
from distillery.data.sources.ctr_log import CtrLogSpec
from distillery.distillation import SoftLabelsSpec, generate_soft_labels
from distillery.errors import ConfigError, DataError, TrainingError
from distillery.networks.reading import Reading
from distillery.networks.streaming import Streamed
from distillery.students import MLPSpec, lesson_of
from distillery.teachers import DeepFMSpec
from materializers import SoftLabelsMaterializer

TEACHER = DeepFMSpec(epochs=1, batch_size=256, widths=(8,), embedding=4)


@pytest.fixture(scope="module")
def table() -> Table:
    return CtrLogSpec(rows=6_000, chunk_rows=700, sample=1_000, min_count=5, split={"by": "time"}).load(0)


@pytest.fixture(scope="module")
def streamed(table: Table) -> Callable[[np.ndarray | None], Streamed]:
    train = table.rows("train")
    reading = Reading.learn(TEACHER.model_copy(update={"min_count": 1}), table.schema, train)
    assert train.stream is not None
    return lambda soft: Streamed(train.stream, reading, soft)  # type: ignore[arg-type]


def test_each_row_comes_once_an_epoch_beside_its_soft_labels(
    table: Table, streamed: Callable[[np.ndarray | None], Streamed]
) -> None:
    """In another order each time, in batches of one size across loads."""
    total = table.counts["train"]
    marks = np.arange(total, dtype=np.float32)[:, None].repeat(2, axis=1)
    rows = streamed(marks)
    torch.manual_seed(0)
    batches = list(rows.shuffled(256))
    assert {len(batch) for batch in batches[:-1]} == {256}
    order = torch.cat([batch.soft[:, 0] for batch in batches]).long()  # type: ignore[index]
    assert sorted(order.tolist()) == list(range(total))
    assert order.tolist() != sorted(order.tolist())
    labels = np.concatenate([part.labels for _, part in table.rows("train").stream])  # type: ignore[union-attr]
    assert torch.cat([batch.y for batch in batches]).tolist() == labels[order].tolist()
    again = torch.cat([batch.soft[:, 0] for batch in rows.shuffled(256)])  # type: ignore[index]
    assert again.tolist() != order.tolist()


def test_a_load_holds_rows_of_all_over_the_log(table: Table, streamed: Callable[[np.ndarray | None], Streamed]) -> None:
    """As many as a file, for learning one end of a log after the other would forget the first."""
    total = table.counts["train"]
    marks = np.arange(total, dtype=np.float32)[:, None].repeat(2, axis=1)
    torch.manual_seed(0)
    loads = [load.soft[:, 0] for load in streamed(marks)._loads()]  # type: ignore[index]
    assert sorted(torch.cat(loads).tolist()) == list(range(total))
    assert max(map(len, loads)) <= 700 + 700 // PIECES
    assert min(float(load.max() - load.min()) for load in loads) > 2 * 700


def test_pieces_are_read_in_any_order(table: Table) -> None:
    """Rows and positions go together, of a fold as of all; texts are categories, whichever pieces they come from."""
    stream = table.rows("train").stream
    assert stream is not None
    whole = pd.concat([part.features.astype(str) for _, part in stream], ignore_index=True)
    pieces = stream.pieces[::-2]
    for some in (stream, stream.folded(1, 3, inside=False)):
        rows, positions = some.read(pieces), some.positions(pieces)
        assert 0 < len(rows) == len(positions)
        assert {str(t) for t in rows.features.dtypes} == {"category"}
        assert rows.features.astype(str).equals(whole.iloc[positions].reset_index(drop=True))


def test_a_piece_has_no_more_texts_than_rows() -> None:
    """Those of all the chunk it was cut from would be spelt with every piece that is read."""
    log = CtrLogSpec(rows=6_000, chunk_rows=3_000, sample=1_000, min_count=5, split={"by": "time"}).load(0)
    assert log.parts is not None
    pieces = log.parts.pieces["train"]
    texts = [len(log.parts.read("train", [piece])["device_ip"].cat.categories) for piece in pieces]
    assert all(0 < n <= piece.rows for n, piece in zip(texts, pieces, strict=True))
    assert len(log.parts.read("train", pieces)["device_ip"].cat.categories) > max(piece.rows for piece in pieces)


def test_a_fold_teaches_beside_its_soft_labels(table: Table, streamed: Callable[..., Streamed]) -> None:
    """Each row once, beside the soft labels of its own position."""
    total = table.counts["train"]
    marks = np.arange(total, dtype=np.float32)[:, None].repeat(2, axis=1)
    rows = streamed(marks)
    others = rows.stream.folded(1, 3, inside=False)
    batches = list(Streamed(others, rows.reading, marks).shuffled(256))
    order = torch.cat([batch.soft[:, 0] for batch in batches]).long()  # type: ignore[index]
    assert sorted(order.tolist()) == others.positions(others.pieces).tolist()
    labels = np.concatenate([part.labels for _, part in rows.stream])
    assert torch.cat([batch.y for batch in batches]).tolist() == labels[order].tolist()


def test_codes_are_counted_once(streamed: Callable[[np.ndarray | None], Streamed]) -> None:
    """However many epochs there are."""
    rows = streamed(None)
    n = rows.reading.scaler.n_codes
    seen = torch.cat([batch.inputs[2] for batch in rows.shuffled(1_000)])
    list(rows.shuffled(1_000))
    assert rows.code_counts(n).tolist() == torch.bincount(seen.flatten(), minlength=n).tolist()


def test_folds_share_out_the_rows(table: Table) -> None:
    """Each row is inside one fold and outside all others."""
    stream = table.rows("train").stream
    assert stream is not None
    inside = [stream.folded(k, 3, inside=True) for k in range(3)]
    outside = [stream.folded(k, 3, inside=False) for k in range(3)]
    assert sum(map(len, inside)) == len(stream) == len(inside[0]) + len(outside[0])
    positions = np.concatenate([p for fold in inside for p, _ in fold])
    assert positions.tolist() == list(range(len(stream)))
    assert sum(len(rows) for _, rows in outside[1]) == len(outside[1])


def test_codes_of_categories_are_those_of_their_texts(table: Table) -> None:
    """Rows on disk hold text as pandas categories, those in memory as objects."""
    from distillery.data import RawEncoder  # noqa: PLC0415

    stream = table.rows("train").stream
    assert stream is not None
    coded = stream.read(stream.pieces[:1]).features
    assert {str(t) for t in coded.dtypes} == {"category"}
    coded = coded.assign(site_id=coded["site_id"].cat.add_categories(["", "new"]))
    coded.loc[:3, "site_id"] = [None, "new", "", coded["site_id"][3]]
    hashed = [c.model_copy(update={"buckets": 7, "categories": c.categories[:5]}) for c in table.schema.columns]
    for schema in (table.schema, table.schema.model_copy(update={"columns": tuple(hashed)})):
        _, codes = RawEncoder(schema)(coded)
        plain = RawEncoder(schema)(coded.astype(object).where(coded.notna(), None))
        assert (codes == plain[1]).all()
        assert codes[:3, 4].tolist()[0] == RawEncoder.MISSING == codes[2, 4]


@pytest.mark.parametrize("method", ["in_sample", "cross_fitted"])
def test_soft_labels_are_written_row_by_row(table: Table, method: Any, tmp_path: Path) -> None:
    """Each training row on disk has its label; those of the rows in memory are the same."""
    fitted: list[Rows] = []

    class Marked:
        """Answers with the share of training rows it was fitted on."""

        schema = table.schema

        def __init__(self, share: float) -> None:
            self.share = share

        def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
            return np.tile([1 - self.share, self.share], (len(frame), 1))

    def fit(train: Rows, _: Rows) -> Any:
        fitted.append(train)
        return Marked(0.1 * len(fitted))

    labels = generate_soft_labels(table, Marked(0.5), fit, SoftLabelsSpec(method=method, folds=3), seed=0)  # type: ignore[arg-type]
    total = table.counts["train"]
    share = np.exp(labels.streamed.values[:, 1])  # type: ignore[union-attr]
    kept = table.parts.kept["train"]  # type: ignore[union-attr]
    assert np.array_equal(labels.logits["train"], labels.streamed.values[kept])  # type: ignore[union-attr]
    assert labels.rows == {**table.held, "train": table.counts["train"]}
    page = SoftLabelsMaterializer(str(tmp_path)).pages(labels)["soft_labels.md"]
    assert f"train: {table.counts['train']:,} rows" in page
    assert f"The mean of train is that of {table.held['train']:,} rows" in page
    if method == "in_sample":
        assert share == pytest.approx(np.full(total, 0.5))
        return
    fold = np.arange(total) * 3 // total
    assert share == pytest.approx(0.1 * (fold + 1))
    assert labels.fold.tolist() == fold[kept].tolist()
    for k, rows in enumerate(fitted):
        held = np.concatenate([positions for positions, _ in rows.stream])  # type: ignore[union-attr]
        assert (fold[held] != k).all()
        assert len(rows) == (fold[kept] != k).sum()


def test_a_teacher_and_a_student_learn_from_disk(table: Table) -> None:
    """All rows teach, not the sample alone; the same seed gives the same network."""
    train, valid, test = (table.rows(name) for name in ("train", "valid", "test"))
    teacher = TEACHER.fit(train, valid, table.schema, seed=0)
    again = TEACHER.fit(train, valid, table.schema, seed=0)
    alone = TEACHER.fit(Rows(train.features, train.labels), valid, table.schema, seed=0)
    p = teacher.predict_proba(test.features)
    assert np.array_equal(p, again.predict_proba(test.features))
    assert not np.allclose(p, alone.predict_proba(test.features))
    labels = generate_soft_labels(table, teacher, lambda *_: teacher, SoftLabelsSpec(method="in_sample"), seed=0)
    spec = MLPSpec(epochs=3, widths=(8,), augment=None, alpha=1.0, batch_size=128)
    student = spec.fit(lesson_of(table, teacher, labels), seed=0)
    assert student.history[-1]["valid_loss"] < student.history[0]["valid_loss"]


def test_what_needs_rows_in_memory_is_refused(table: Table) -> None:
    """Stratified batches, resampled rows, and folds of a log with groups."""
    train, valid = table.rows("train"), table.rows("valid")
    with pytest.raises(DataError, match="sampling must be uniform for rows that are read from disk, got 'class'"):
        TEACHER.model_copy(update={"sampling": "class"}).fit(train, valid, table.schema, seed=0)
    teacher = TEACHER.fit(train, valid, table.schema, seed=0)
    labels = generate_soft_labels(table, teacher, lambda *_: teacher, SoftLabelsSpec(method="in_sample"), seed=0)
    with pytest.raises(TrainingError, match="augment must be null for rows that are read from disk"):
        MLPSpec(epochs=1).fit(lesson_of(table, teacher, labels), seed=0)
    grouped = Table(table.schema.model_copy(update={"group": "device_ip"}), table.frame, table.parts)
    with pytest.raises(DataError, match="must be in_sample for a log with groups"):
        generate_soft_labels(grouped, teacher, lambda *_: teacher, SoftLabelsSpec(folds=2), seed=0)


def test_a_fold_and_the_others_are_all() -> None:
    """A row is in one of the two."""
    positions = np.arange(10)
    one, others = (Fold(1, 3, inside=inside).holds(positions, 10) for inside in (True, False))
    assert (one ^ others).all()


def test_batches_lie_on_the_device_that_was_asked_for(streamed: Callable[[np.ndarray | None], Streamed]) -> None:
    """Across the borders of loads, too; the device without memory stands in for a GPU."""
    rows = streamed(None).to(torch.device("meta"))
    assert {batch.y.device.type for batch in rows.shuffled(256)} == {"meta"}


@pytest.mark.parametrize("key", ["augment", "sampling"])
def test_a_config_says_so_before_the_log_is_read(key: str) -> None:
    """The default student resamples its rows, which a log has enough of."""
    student = {"kind": "mlp", "augment": None} | ({"sampling": "class"} if key == "sampling" else {"augment": {}})
    with pytest.raises(ConfigError, match=rf"mlp\.{key} must be (null|uniform) for a log"):
        DistillConfig.parse({"source": {"kind": "ctr_log"}, "students": [student]})
