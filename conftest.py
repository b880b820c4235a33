"""Tests never touch the ZenML and MLflow stores of the person who runs them."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

_STORE = tempfile.mkdtemp(prefix="distillery-tests-")
atexit.register(shutil.rmtree, _STORE, ignore_errors=True)
os.environ.update(
    ZENML_CONFIG_PATH=f"{_STORE}/config",
    ZENML_REPOSITORY_PATH=f"{_STORE}/repository",
    ZENML_ANALYTICS_OPT_IN="false",
    ZENML_ENABLE_RICH_TRACEBACK="false",
    MLFLOW_DISABLE_TELEMETRY="true",
    GX_ANALYTICS_ENABLED="false",
    OMP_NUM_THREADS="1",  # tiny fits lose more to waiting threads than they gain
)
Path(_STORE, "repository").mkdir()
if not hasattr(sys.modules["__main__"], "__file__"):  # a worker of pytest-xdist; ZenML looks for sources beside it
    sys.modules["__main__"].__file__ = __file__


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """ZenML and MLflow warn about themselves and their neighbours; only there warnings are no errors."""
    for item in items:
        if {"pipelines", "materializers", "slow"} & set(item.path.parts):
            item.add_marker(pytest.mark.filterwarnings("default"))
