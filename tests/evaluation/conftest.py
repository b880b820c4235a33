"""Small random cases and a model whose every cost is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from distillery.data import Column, Schema
from distillery.data.model import ParameterCount

Case = tuple[np.ndarray, np.ndarray]


def make_case(n: int, n_classes: int, seed: int, *, ties: bool = False) -> Case:
    """Draw labels ``(n,)`` and probabilities ``(n, K)`` that know a little; with ties, few distinct ones."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    logits = rng.normal(size=(n, n_classes)) + np.eye(n_classes)[y]
    if ties:
        logits = np.round(logits)
    proba = np.exp(logits)
    return y, proba / proba.sum(axis=1, keepdims=True)


@pytest.fixture
def case() -> Callable[..., Case]:
    return make_case


class FakeModel:
    """A model of two raw columns that answers with column ``a`` and counts its calls."""

    schema = Schema(
        columns=(Column(name="a", kind="numeric"), Column(name="b", kind="numeric")),
        target="y",
        classes=("no", "yes"),
    )

    def __init__(self, scale: int = 1) -> None:
        self.scale = scale
        self.batches: list[int] = []

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        self.batches.append(len(frame))
        p = frame["a"].to_numpy(np.float64)
        return np.column_stack([1 - p, p])

    def to_files(self) -> dict[str, bytes]:
        return {"spec.json": b"{}", "weights": b"x" * 98 * self.scale}

    def parameter_count(self) -> ParameterCount:
        return ParameterCount(total=50 * self.scale, learnable=40 * self.scale)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        return 7.0 * self.scale


@pytest.fixture
def fake_model() -> Callable[..., FakeModel]:
    return FakeModel


@pytest.fixture
def features() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.uniform(size=60), "b": rng.normal(size=60)})
