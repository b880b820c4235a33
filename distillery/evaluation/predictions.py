"""What every model answered on the test rows, kept so that pictures and audits need no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from distillery.errors import InputError

FILE = "predictions.safetensors"


@final
@dataclass(frozen=True)
class Predictions:
    """The test rows' labels and each model's probabilities for them, in the order of `Table.rows`.

    Attributes:
        y: class indices ``(n,)`` int64.
        weights: of the rows ``(n,)`` float64, or None.
        proba: by role and name, such as ``("student", "mlp")``: ``(n, K)`` float64.
    """

    y: np.ndarray
    weights: np.ndarray | None
    proba: Mapping[tuple[str, str], np.ndarray]

    def of(self, role: str, name: str) -> np.ndarray:
        """Return one model's probabilities ``(n, K)``.

        Raises:
            InputError: there is no such model; the message lists those there are.
        """
        if (role, name) not in self.proba:
            known = ", ".join(f"{r} {n!r}" for r, n in self.proba) or "none"
            raise InputError(f"predictions must be of one of {known}, got {role} {name!r}")
        return self.proba[role, name]

    def to_files(self) -> dict[str, bytes]:
        """Return ``predictions.safetensors``."""
        arrays = {f"proba/{role}/{name}": np.ascontiguousarray(p) for (role, name), p in self.proba.items()}
        weights = {} if self.weights is None else {"weights": np.ascontiguousarray(self.weights)}
        return {FILE: save_arrays({"y": np.ascontiguousarray(self.y), **weights, **arrays})}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Predictions:
        """Read what `to_files` gave."""
        arrays = load_arrays(files[FILE])
        proba = {}
        for key, values in arrays.items():
            kind, _, model = key.partition("/")
            if kind == "proba":
                role, _, name = model.partition("/")
                proba[role, name] = values
        return cls(arrays["y"], arrays.get("weights"), proba)
