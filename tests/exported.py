"""A small exported student, and raw rows for it, shared by the tests that score files."""

from __future__ import annotations

import numpy as np
import pandas as pd

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.export import OnnxModel, to_onnx
from distillery.students import Lesson, MLPSpec


def raw_rows(n: int, seed: int = 0) -> pd.DataFrame:
    """Rows of two numeric and three categorical columns with missing values; a branch is a number's name."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": [f"{i:05d}" for i in range(n)],
            "age": rng.integers(18, 90, n).astype(float),
            "income": rng.lognormal(10, 1, n),
            "city": rng.choice(["Oslo", "Lima", "Kyiv", "Rome"], n),
            "branch": rng.choice([1.0, 2.0, 30.0], n),
            "member": rng.choice([True, False], n),
            "note": "x",
        }
    )
    frame.loc[rng.random(n) < 0.1, ["income", "city"]] = None
    frame.loc[rng.random(n) < 0.1, "branch"] = None
    return frame


def exported_student(classes: tuple[str | int, ...] = ("no", "yes"), seed: int = 0) -> OnnxModel:
    """A network of 8 units, trained for two epochs."""
    raw = raw_rows(600)
    score = raw["age"] + 40 * (raw["city"] == "Oslo") - 30 * (raw["branch"] == 2) + 20 * raw["member"]
    raw["y"] = np.array(classes, dtype=object)[pd.qcut(score, len(classes), labels=False)]
    roles = Roles(target="y", drop=("id", "note"), kinds={"branch": "categorical", "member": "categorical"})
    table = build_table(raw, roles, SplitSpec(), seed=0)
    train = table.rows("train")
    soft = np.log(np.where(np.arange(len(classes)) == train.labels[:, None], 0.8, 0.1)).astype(np.float32)
    spec = MLPSpec(widths=(8,), bins=4, epochs=2, augment=None, learning_rate=1e-2)
    return to_onnx(spec.fit(Lesson(table.schema, train, table.rows("valid"), soft), seed=seed))
