"""Opens a registered teacher's model: what the domain may not know of MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.store.artifact.utils.models import get_model_name_and_version
from mlflow.tracking import MlflowClient
from mlflow.types import DataType
from mlflow.types import Schema as Signature
from zenml.client import Client
from zenml.integrations.mlflow.experiment_trackers import MLFlowExperimentTracker

from distillery.data.schema import as_numeric, as_text
from distillery.errors import InputError, one_line
from distillery.teachers import ReadyModel, RegisteredSpec

FLOATS = {DataType.float, DataType.double}
WHOLE = {
    DataType.boolean: (0, 1),
    DataType.integer: (-(2**31), 2**31 - 1),
    DataType.long: (-(2.0**63), np.nextafter(2.0**63, 0)),
}


def open_model(spec: RegisteredSpec) -> ReadyModel:
    """Load a model from MLflow.

    One with ``predict_proba`` and ``classes_`` (scikit-learn's own, and the classifiers of XGBoost,
    LightGBM and CatBoost) is asked for its probabilities, whatever its pyfunc answers.

    Raises:
        InputError: it is not there, or cannot be loaded.
    """
    try:
        with _store(spec.tracking_uri):
            uri = _pinned(spec.uri)
            folder = Path(mlflow.artifacts.download_artifacts(uri))
            pyfunc = mlflow.pyfunc.load_model(str(folder))
    except Exception as error:
        problem = f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"the registered teacher {spec.uri} must be a model in MLflow, got {problem}") from error
    raw = _classifier(pyfunc)
    types = _types(pyfunc.metadata.get_input_schema())
    ask = pyfunc.predict if raw is None else raw.predict_proba
    return ReadyModel(
        uri=uri,
        identity=str(pyfunc.metadata.model_uuid),
        bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        columns=tuple(types) or _names(raw),
        classes=None if raw is None else tuple(raw.classes_),
        predict=lambda rows: ask(_typed(rows, types)),
    )


@contextmanager
def _store(tracking_uri: str | None) -> Iterator[None]:
    """Let MLflow talk to a server, by default the active stack's; afterwards to the one before."""
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else ""
    if tracking_uri is not None:
        mlflow.set_tracking_uri(tracking_uri)
    elif isinstance(tracker := Client().active_stack.experiment_tracker, MLFlowExperimentTracker):
        tracker.configure_mlflow()
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _pinned(uri: str) -> str:
    """Name the version that an alias or ``latest`` points to now."""
    if not uri.startswith("models:/"):
        return uri
    return "models:/" + "/".join(map(str, get_model_name_and_version(MlflowClient(), uri)))


def _classifier(pyfunc: mlflow.pyfunc.PyFuncModel) -> Any | None:
    """Return the model behind a pyfunc where it says itself whose probabilities it gives."""
    try:
        raw = pyfunc.get_raw_model()
    except NotImplementedError:
        return None
    return raw if hasattr(raw, "predict_proba") and hasattr(raw, "classes_") else None


def _types(signature: Signature | None) -> dict[str, object]:
    """Return the columns a signature names, and their types."""
    named = signature is not None and signature.has_input_names() and not signature.is_tensor_spec()
    return dict(signature.input_types_dict()) if signature is not None and named else {}


def _names(raw: Any) -> tuple[str, ...] | None:
    names = getattr(raw, "feature_names_in_", getattr(raw, "feature_names_", None))  # the latter is CatBoost's
    return None if names is None else tuple(map(str, names))


def _typed(rows: pd.DataFrame, types: Mapping[str, object]) -> pd.DataFrame:
    """Give columns the types that the signature says; without one, missing text is NaN, as in a CSV file."""
    return pd.DataFrame({name: _column(rows[name], types.get(name)) for name in rows}, index=rows.index)


def _column(values: pd.Series, kind: object) -> pd.Series | np.ndarray:
    if kind == DataType.string or (kind is None and values.dtype == object):
        text = as_text(values) if values.dtype == np.float64 else values
        return np.where(text.isna(), np.nan, text)
    if not isinstance(kind, DataType) or kind not in {*FLOATS, *WHOLE}:
        return values
    numbers = as_numeric(values).to_numpy()
    if kind in WHOLE:
        lowest, highest = WHOLE[kind]
        if not ((numbers == np.floor(numbers)) & (numbers >= lowest) & (numbers <= highest)).all():
            return numbers
    return numbers.astype(kind.to_pandas())
