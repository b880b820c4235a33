"""The MLflow model registry: what is staged, and how a student gets there."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path

import mlflow
import numpy as np
import onnx
import pandas as pd
import requests
import sqlalchemy.exc
from google.protobuf.message import DecodeError
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, DataType
from mlflow.types import Schema as MlflowSchema

from distillery.data import Schema, Table
from distillery.errors import ArtifactError, InputError, one_line
from distillery.export import OnnxModel
from distillery.export.model import output_name
from distillery.promotion import StagedModel
from distillery.report.render import CARD
from steps._pages import WRITTEN_TAG, about_version, digest, is_ours, shortened

STAGING, PREVIOUS = "staging", "previous-staging"
DIGEST_TAG, BYTES_TAG = "distillery.dataset_digest", "distillery.cost.bytes"
PACKAGES = ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")  # all that the promoted file needs
MODEL_FILE = "model.onnx"
DESCRIPTION_LIMIT = 5000  # characters of a model's or a version's: MLflow's column in PostgreSQL and MySQL
_ABSENT = {ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), ErrorCode.Name(INVALID_PARAMETER_VALUE)}


class RegistryError(InputError):
    """The model registry did not answer, or changed while the run went on."""


@contextmanager
def reachable_registry(
    otherwise: str = "nothing was promoted, everything before is kept: mend the registry and run the same command"
    " again, the training comes from cache",
) -> Iterator[None]:
    """Turn a registry that does not answer into one clear error.

    Args:
        otherwise: what has not happened then, and what to do.

    Raises:
        RegistryError: it cannot be reached.
    """
    try:
        yield
    except (requests.RequestException, sqlalchemy.exc.SQLAlchemyError, MlflowException, OSError) as error:
        raise RegistryError(
            f"the model registry at {mlflow.get_registry_uri()} cannot be used: {error}; {otherwise}"
        ) from error


@dataclass(frozen=True)
class Staged:
    """What holds the alias ``staging``, and its probabilities for this run's test rows where it has any."""

    model: StagedModel
    proba: np.ndarray | None = None


def staged_version(model_name: str, alias: str = STAGING) -> ModelVersion | None:
    """Return the version under an alias, or None."""
    try:
        return MlflowClient().get_model_version_by_alias(model_name, alias)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise


def staged_onnx(model_name: str, alias: str = STAGING, *, threads: int = 1) -> tuple[OnnxModel, str]:
    """Load the ONNX file of the version under an alias.

    Args:
        model_name: of the registered model.
        alias: of the version.
        threads: of ONNX Runtime.

    Returns:
        The model, and its version.

    Raises:
        RegistryError: there is no such version, it was not logged as ONNX, or the registry does not answer.
        ArtifactError: the file was not exported by Distillery.
    """
    with reachable_registry("nothing was scored: mend the registry and run the same command again"):
        version = staged_version(model_name, alias)
        if version is None:
            raise RegistryError(
                f"model {model_name!r} must have a version under the alias {alias!r} in {mlflow.get_registry_uri()},"
                " got none; `zenml pipeline run distill_pipeline -c configs/<scenario>.yaml` distils a student and"
                f" promotes it there as <scenario>-student@{STAGING}"
            )
        return open_onnx(model_name, version, threads=threads), str(version.version)


def score_staged(model_name: str, table: Table) -> Staged:
    """Load the staged model and let it predict a table's test rows, the classes in the table's order.

    A model that cannot be loaded or scored is reported in `StagedModel.problem`: the gate that
    compares with it then fails, so nothing is replaced unseen.
    """
    version = staged_version(model_name)
    if version is None:
        return Staged(StagedModel())
    size = version.tags.get(BYTES_TAG)
    staged = StagedModel(
        version=str(version.version),
        bytes=int(size) if size else None,
        other_data=version.tags.get(DIGEST_TAG) != table.digest,
    )
    try:
        proba = _proba_by_class(open_onnx(model_name, version), table)
    except Exception as error:  # noqa: BLE001  whatever a foreign model raises becomes a failed gate, not a lost run
        problem = f"{type(error).__name__}: {one_line(error)}"
        hint = f"; remove the alias {STAGING!r} of {model_name} to promote without this comparison"
        return Staged(staged.model_copy(update={"problem": problem + hint}))
    return Staged(staged, proba)


def _proba_by_class(model: OnnxModel, table: Table) -> np.ndarray:
    ours, theirs = table.schema.classes, model.schema.classes
    if set(ours) != set(theirs):
        raise RegistryError(f"its classes must be those of the table, {list(ours)}, got {list(theirs)}")
    table.schema.refuse_privileged("the staged model", model.schema.inputs.names)
    return model.predict_proba(table.rows("test").features)[:, [theirs.index(label) for label in ours]]


def open_onnx(model_name: str, version: ModelVersion, *, threads: int = 1) -> OnnxModel:
    """Read a registered version's file.

    Raises:
        RegistryError: it holds none.
        ArtifactError: the file is none of Distillery's.
    """
    with tempfile.TemporaryDirectory() as folder:
        local = mlflow.artifacts.download_artifacts(f"models:/{model_name}/{version.version}", dst_path=folder)
        file = Path(local) / MODEL_FILE
        if not file.exists():
            raise RegistryError(
                f"{model_name} version {version.version} must hold {MODEL_FILE}, as what `zenml pipeline run"
                " distill_pipeline` promotes does; promote a student anew"
            )
        try:  # by onnx: others' models may keep their weights in a file of their own
            content = onnx.load(str(file)).SerializeToString()
        except DecodeError as error:
            raise ArtifactError(
                f"{MODEL_FILE} of {model_name} version {version.version} is damaged: {error}"
            ) from error
        return OnnxModel(content, threads=threads)


def log_student(exported: OnnxModel, example: pd.DataFrame, card: str) -> str:
    """Log an exported student with MLflow's ONNX flavour, its model card among its files; return its model URI.

    Args:
        exported: a named input per raw column.
        example: raw rows.
        card: Markdown.
    """
    rows = exported.schema.conform(example)
    with warnings.catch_warnings():  # of its own signature's types
        warnings.filterwarnings("ignore", message="Hint: Inferred schema contains integer")
        info = mlflow.onnx.log_model(
            onnx.load_model_from_string(exported.content),
            name="student",
            onnx_execution_providers=["CPUExecutionProvider"],
            save_as_external_data=False,  # one file
            signature=signature(exported.schema),
            input_example=rows,
            pip_requirements=requirements(),
        )
    with _file(CARD, card.encode()) as path:
        MlflowClient().log_model_artifact(str(info.model_id), path)
    return str(info.model_uri)


def log_tensors(exported: OnnxModel) -> None:
    """Log the form with two typed inputs, which costs least per call, beside the model."""
    with _file("student_tensors.onnx", exported.content) as path:
        mlflow.log_artifact(path, "onnx")


@contextmanager
def _file(name: str, content: bytes) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield str(path)


def requirements() -> list[str]:
    """Return the packages that a logged student needs, pinned as installed here."""
    return [f"{name}=={installed(name).split('+')[0]}" for name in PACKAGES]


def signature(schema: Schema) -> ModelSignature:
    """The raw columns it needs, one probability per class out."""
    kinds = {"numeric": DataType.double, "categorical": DataType.string, "text": DataType.string}
    inputs = MlflowSchema([ColSpec(kinds[c.kind], c.name) for c in schema.columns])
    return ModelSignature(inputs, MlflowSchema([ColSpec(DataType.float, output_name(c)) for c in schema.classes]))


@dataclass(frozen=True)
class ModelPage:
    """What the registry says of a model, in Markdown.

    Attributes:
        about: the registered model, whatever its version.
        tags: of the registered model.
        card: the new version's model card.
        run: what the version comes from, with links.
    """

    about: str
    tags: Mapping[str, str]
    card: str
    run: str


def register(model_uri: str, model_name: str, tags: Mapping[str, str], *, page: ModelPage, expected: str | None) -> str:
    """Register a logged model and move the alias ``staging`` to it, last of all.

    The version it replaces stays reachable as ``previous-staging``.

    Args:
        model_uri: of the logged model.
        model_name: of the registered model.
        tags: of the new version.
        page: what is said of the model and the new version.
        expected: the version that held the alias when the candidates were judged.

    Returns:
        The new version.

    Raises:
        RegistryError: another version holds the alias by now.
    """
    client = MlflowClient()
    before = staged_version(model_name)
    if (None if before is None else str(before.version)) != expected:
        raise RegistryError(
            f"{model_name} version {before and before.version} holds the alias {STAGING!r}, but the candidates were"
            f" judged against version {expected}: somebody promoted meanwhile; run again"
        )
    version = str(mlflow.register_model(model_uri, model_name, tags=dict(tags)).version)
    client.update_model_version(model_name, version, about_version(page.card, page.run, limit=DESCRIPTION_LIMIT))
    _describe_model(model_name, page)
    if before is not None:
        client.set_registered_model_alias(model_name, PREVIOUS, before.version)
    client.set_registered_model_alias(model_name, STAGING, version)
    return version


def _describe_model(model_name: str, page: ModelPage) -> None:
    """Describe the registered model, unless a person wrote or changed the description it has."""
    client = MlflowClient()
    now = client.get_registered_model(model_name)
    for name, value in page.tags.items():
        client.set_registered_model_tag(model_name, name, value)
    if is_ours(now.description, now.tags):
        about = shortened(page.about, DESCRIPTION_LIMIT)
        client.update_registered_model(model_name, about)
        client.set_registered_model_tag(model_name, WRITTEN_TAG, digest(about))
