"""Scoring as a user does it: killed half-way and begun again, and in memory that does not grow."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.exported import exported_student, raw_rows

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

REGISTER = """
import sys, mlflow, onnx
from mlflow.tracking import MlflowClient
uri, path, name = sys.argv[1:]
mlflow.set_tracking_uri(uri)
with mlflow.start_run():
    info = mlflow.onnx.log_model(onnx.load(path), name="model", pip_requirements=["onnxruntime"])
version = mlflow.register_model(info.model_uri, name).version
MlflowClient().set_registered_model_alias(name, "staging", version)
print("ANSWER", version)
"""
CHUNKS = 300


@pytest.fixture(scope="module")
def model():
    return exported_student()


@pytest.fixture
def score_yaml(copy, model, config, tmp_path):
    """Stage a student; write rows, and a config that scores them in many chunks into a given file."""
    (tmp_path / "student.onnx").write_bytes(model.content)
    copy.python(REGISTER, copy.tracking_uri, str(tmp_path / "student.onnx"), "toy-student")
    raw_rows(200 * CHUNKS, seed=4).to_parquet(tmp_path / "in.parquet", index=False)

    def write(output):
        return config(
            scenario="toy",
            input=str(tmp_path / "in.parquet"),
            output=str(tmp_path / output),
            keys=["id"],
            chunk_rows=200,
        )

    return write


def test_a_killed_run_goes_on_and_gives_the_same_file(copy, score_yaml, started, model, tmp_path):
    """SIGKILL in the middle: nothing stands under the final name; then byte by byte what an undisturbed run gives."""
    command = (".venv/bin/zenml", "pipeline", "run", "pipelines.score_pipeline", "-c")
    undisturbed = copy.run(*command, score_yaml("undisturbed.parquet"))
    assert undisturbed.code == 0, undisturbed.text
    path = score_yaml("out.parquet")
    process = started(*command, path)
    middle = tmp_path / ".out.parquet.unfinished" / "parts" / "part-00020.parquet"
    while not middle.exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "out.parquet").exists()
    again = copy.run(*command, path)
    assert again.code == 0, again.text
    found = re.search(
        rf"{200 * CHUNKS:,} rows scored by toy-student .* in {CHUNKS} chunks \((\d+) of them", again.words
    )
    assert found is not None, again.text
    assert 20 < int(found[1]) < CHUNKS
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()
    rows, scores = pd.read_parquet(tmp_path / "in.parquet"), pd.read_parquet(tmp_path / "out.parquet")
    assert list(scores["id"]) == list(rows["id"])
    np.testing.assert_allclose(scores["probability_yes"], model.predict_proba(rows)[:, 1], atol=2e-7)


def test_peak_memory_does_not_grow_with_the_rows():
    """Four times as many need hardly more; they lie in row groups of a million."""
    command = [sys.executable, "benchmarks/bench_scoring.py", "--rows", "500000", "2000000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    few, many = (float(line.split()[2].replace(",", "")) for line in printed.splitlines()[2:4])
    assert many < 1.15 * few
