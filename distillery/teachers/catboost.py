"""Gradient boosted oblivious trees by CatBoost, with native categories and missing values."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier, Pool
from pydantic import Field, NonNegativeFloat, PositiveInt

from distillery.data import Rows, Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.export import RawColumns
from distillery.export.graph import placed
from distillery.progress import Advance, bar, shown
from distillery.teachers._catboost_graph import Forest, forest_graph, read_forest
from distillery.teachers.base import Teacher, TeacherKind

MISSING = "\0"  # a category of its own; no text column of a table holds it
MODEL_FILE = "model.cbm"


class CatBoostSpec(TeacherKind):
    """A CatBoost teacher; the names and meanings are CatBoost's own unless said otherwise.

    Attributes:
        trees: boosting rounds at most; fewer when the validation log loss stops falling.
        patience: rounds without a better validation log loss before boosting stops.
        max_ctr_complexity: how many columns a statistic of categories may combine. More than 1 fits
            interactions of categories sooner, but a teacher that combines columns has no ONNX form.
        row_share, column_share: of each tree, and of each level.
        threads: CPU threads; 0 takes all. Another number may give another model of the same quality.
    """

    kind: Literal["catboost"] = "catboost"
    trees: PositiveInt = 1000
    patience: PositiveInt = 40
    depth: int = Field(6, ge=1, le=16)
    learning_rate: float = Field(0.06, gt=0, le=1)
    l2: NonNegativeFloat = 3.0
    border_count: int = Field(128, ge=1, le=65535)
    max_ctr_complexity: PositiveInt = 1
    row_share: float = Field(0.8, gt=0, le=1)
    column_share: float = Field(0.5, gt=0, le=1)
    threads: int = Field(0, ge=0)

    def fit(self, train: Rows, valid: Rows, schema: Schema, *, seed: int) -> CatBoostTeacher:
        """Boost on ``train`` until the log loss on ``valid`` stops falling; keep the best length."""
        model = CatBoostClassifier(
            loss_function="Logloss" if schema.n_classes == 2 else "MultiClass",
            class_names=list(range(schema.n_classes)),
            iterations=self.trees,
            early_stopping_rounds=self.patience,
            depth=self.depth,
            learning_rate=self.learning_rate,
            l2_leaf_reg=self.l2,
            border_count=self.border_count,
            max_ctr_complexity=self.max_ctr_complexity,
            boosting_type="Plain",
            bootstrap_type="Bernoulli",
            subsample=self.row_share,
            rsm=self.column_share,
            random_seed=seed,
            thread_count=self.threads or -1,
            allow_writing_files=False,
            verbose=False,
        )
        data, stop = _pool(train.features, schema, train), _pool(valid.features, schema, valid)
        with bar(self.trees, "boosting catboost", unit="round") as advance:
            model.fit(data, eval_set=stop, callbacks=[_Count(advance)] if shown() else None)
        return CatBoostTeacher(self, schema, _bytes(model))

    def load(self, files: Mapping[str, bytes]) -> CatBoostTeacher:
        """Read what `CatBoostTeacher.to_files` gave."""
        return CatBoostTeacher(self, read_schema(files), files[MODEL_FILE])


class _Count:
    """Tells a bar about each round."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def after_iteration(self, _: object) -> bool:
        """Count a round; go on."""
        self._advance(1)
        return True


def _pool(frame: pd.DataFrame, schema: Schema, rows: Rows | None = None) -> Pool:
    """Return raw rows as CatBoost wants them: numbers with NaN, text with a word for missing."""
    read = schema.worded(frame)
    text = [c.name for c in schema.categorical]
    read[text] = read[text].fillna(MISSING)
    labels, weights = (None, None) if rows is None else (rows.labels, rows.weights)
    return Pool(read, labels, cat_features=text, weight=weights)


def _bytes(model: CatBoostClassifier) -> bytes:
    """Return CatBoost's own file without what differs between equal models: the training's name, time and bar."""
    for key in list(model.get_metadata().keys()):
        if key not in {"class_params", "params"}:
            del model.get_metadata()[key]
    params = json.loads(model.get_metadata()["params"])
    params["flat_params"].pop("callbacks", None)
    model.get_metadata()["params"] = json.dumps(params, sort_keys=True, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        model.save_model(str(path))
        return path.read_bytes()


@final
class CatBoostTeacher(Teacher):
    """A fitted CatBoost teacher."""

    spec: CatBoostSpec

    def __init__(self, spec: CatBoostSpec, schema: Schema, content: bytes) -> None:
        self.spec, self.schema, self._content = spec, schema, content
        self._model = CatBoostClassifier().load_model(blob=content)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        if len(frame) == 0:
            return np.empty((0, self.schema.n_classes))
        proba: np.ndarray = self._model.predict_proba(_pool(frame, self.schema), thread_count=self.spec.threads or -1)
        return proba

    def to_graph(self, raw: RawColumns) -> str:
        """Add the trees' nodes; see `distillery.export.Exportable`.

        Raises:
            ExportError: a statistic combines columns, or there are too many leaves.
        """
        proba = forest_graph(self._forest(), raw)
        if self.schema.n_classes == 2:
            return proba
        known = json.loads(self._model.get_metadata()["class_params"])["class_to_label"]
        return placed(raw.graph, proba, np.asarray(known, dtype=np.int64), self.schema.n_classes)

    def _forest(self) -> Forest:
        # The JSON holds hashes only; a pool of all categories tells of what.
        columns = {c.name: pd.Series([*c.words, None], dtype=object) for c in self.schema.columns}
        pool = _pool(pd.DataFrame(columns), self.schema)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            self._model.save_model(str(path), format="json", pool=pool)
            return read_forest(json.loads(path.read_bytes()), self.schema)

    def to_files(self) -> dict[str, bytes]:
        """Return ``model.cbm``, CatBoost's own binary format, beside spec and schema."""
        return {**header_files(self.spec, self.schema), MODEL_FILE: self._content}

    def parameter_count(self) -> ParameterCount:
        """Count a feature and a threshold per level of a tree, and the values of its 2^depth leaves."""
        depths = self._depths()
        total = int(2 * depths.sum() + len(self._model.get_leaf_values()))
        return ParameterCount(total=total, learnable=total)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Comparisons of every level of every tree, plus one addition a tree and output."""
        depths = self._depths()
        outputs = 1 if self.schema.n_classes == 2 else self.schema.n_classes
        return float(depths.sum() + outputs * len(depths))

    def _depths(self) -> np.ndarray:
        leaves = np.asarray(self._model.get_tree_leaf_counts())
        return np.asarray(np.log2(leaves).round(), dtype=np.int64)
