"""A real ZenML store with a real MLflow on SQLite, made once, and a small table to run on."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from zenml.client import Client
from zenml.models import PipelineRunResponse
from zenml.utils import source_utils

from pipelines import distill_pipeline

ROOT = Path(__file__).resolve().parents[2]
FAST_TEACHER = {"kind": "xgboost", "trees": 60, "patience": 10, "learning_rate": 0.2, "depth": 4, "threads": 1}
FAST_MLP = {"kind": "mlp", "widths": [16], "bins": 8, "epochs": 4, "batch_size": 128}
OPEN_GATES = {
    "min_auc_retention": 0.5,
    "max_log_loss_increase": 5.0,
    "max_bytes": None,
    "beats_control": "off",
    "smaller_than_teacher": False,
}


def local_stack() -> Any:
    """The module `infra/local_stack.py`."""
    spec = importlib.util.spec_from_file_location("local_stack", ROOT / "infra" / "local_stack.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stack() -> Iterator[Client]:
    """The local stack, registered as `make stack` does."""
    source_utils.set_custom_source_root(str(ROOT))
    repository = Path(os.environ["ZENML_REPOSITORY_PATH"])
    local_stack().register(repository)
    client = Client()
    client.activate_root(repository)  # this process knew it before the stack was there
    yield client
    source_utils.set_custom_source_root(None)


@pytest.fixture(scope="session")
def tracking(stack: Client) -> MlflowClient:
    """The MLflow store of the stack."""
    uri = stack.active_stack.experiment_tracker.get_tracking_uri()
    return MlflowClient(uri, uri)


@pytest.fixture(scope="session")
def raw() -> pd.DataFrame:
    """1,200 rows of mixed columns with missing values; the target depends on three of them."""
    rng = np.random.default_rng(0)
    n = 1200
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n).astype(float),
            "income": rng.lognormal(10, 1, n),
            "city": rng.choice(["Oslo", "Lima", "Kyiv"], n),
            "plan": rng.choice(["a", "b", None], n),
            "balance": rng.normal(size=n),
            "household": rng.integers(0, 300, n),
        }
    )
    frame.loc[rng.random(n) < 0.1, "income"] = np.nan
    z = (frame.age - 50) / 15 + (frame.city == "Oslo") + 0.5 * (frame.plan == "a")
    frame["churned"] = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * z)), "yes", "no")
    return frame


def fast_parameters(raw: pd.DataFrame, folder: Path, scenario: str) -> dict[str, Any]:
    """A fast run's parameters; its table and reports lie in a folder."""
    path = folder / "churn.csv"
    raw.to_csv(path, index=False)
    return {
        "scenario": scenario,
        "source": {"kind": "file", "path": str(path), "target": "churned", "group": "household"},
        "validation": {"drift": False},  # its library takes seconds to import
        "teacher": FAST_TEACHER,
        "baseline": None,
        "soft_labels": {"folds": 3},
        "students": [FAST_MLP],
        "evaluation": {"replicates": 20, "cost": False},
        "gates": OPEN_GATES,
        "report": {"folder": str(folder / "reports"), "plots": False},  # they take seconds
    }


@pytest.fixture
def parameters(raw: pd.DataFrame, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A fast run's parameters, with a scenario of the test's own."""
    return fast_parameters(raw, tmp_path, request.node.name.replace("[", ".").replace("]", "")[:60])


@pytest.fixture
def run(stack: Client) -> Callable[[dict[str, Any]], PipelineRunResponse]:
    """Run the pipeline in this process; return ZenML's record of it."""

    def run_pipeline(parameters: dict[str, Any]) -> PipelineRunResponse:
        return stack.get_pipeline_run(distill_pipeline(**parameters).id)

    return run_pipeline


@pytest.fixture(autouse=True)
def no_run_left_open() -> Iterator[None]:
    """A run that a failed step left open must not become the next test's parent."""
    yield
    while mlflow.active_run():
        mlflow.end_run()
