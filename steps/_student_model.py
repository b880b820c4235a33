"""The promoted student as an MLflow pyfunc: raw columns in, one probability per class out.

MLflow runs this file when it loads the model ("models from code"), so nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from distillery.students import load_student


class StudentModel(PythonModel):  # type: ignore[misc]  # MLflow's base class is untyped
    """Reads the student's files and predicts."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the student."""
        folder = Path(context.artifacts["student"])
        self.student = load_student({file.name: file.read_bytes() for file in folder.iterdir()})

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a frame with one column of probabilities per class."""
        proba = self.student.predict_proba(model_input)
        return pd.DataFrame(proba, index=model_input.index, columns=[str(c) for c in self.student.schema.classes])


mlflow.models.set_model(StudentModel())
