"""Scoring with what the registry holds, on real stores."""

from __future__ import annotations

import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException
from zenml.client import Client

from distillery.errors import ArtifactError, DataError, InputError
from distillery.scoring import OutputError
from pipelines import score_pipeline
from steps._registry import STAGING, RegistryError, staged_onnx
from tests.exported import exported_student, raw_rows


@pytest.fixture(scope="module")
def model():
    return exported_student()


@pytest.fixture
def stage(tracking, request):
    """Register a model under the test's own name and an alias; return the name."""
    name = f"{request.node.originalname}-student"

    def register(content, alias=STAGING, **settings):
        mlflow.set_tracking_uri(tracking.tracking_uri)
        onnx_model = onnx.load_model_from_string(content)
        with mlflow.start_run():
            info = mlflow.onnx.log_model(onnx_model, name="model", pip_requirements=["onnxruntime"], **settings)
        version = mlflow.register_model(info.model_uri, name).version
        tracking.set_registered_model_alias(name, alias, version)
        return name

    return register


@pytest.fixture
def rows(tmp_path):
    """250 rows, in a file."""
    frame = raw_rows(250, seed=2)
    frame.to_csv(tmp_path / "in.csv", index=False)
    return frame


@pytest.fixture
def parameters(request, tmp_path):
    return {
        "scenario": request.node.originalname,
        "input": str(tmp_path / "in.csv"),
        "output": str(tmp_path / "out.parquet"),
        "keys": ["id"],
        "chunk_rows": 100,
    }


@pytest.fixture
def run(stack):
    """Run the pipeline in this process; return ZenML's record of its step."""
    return lambda parameters: stack.get_pipeline_run(score_pipeline(**parameters).id).steps["score"]


@pytest.mark.parametrize("apart", [False, True])
def test_the_staged_student_scores_a_file(run, stage, model, rows, parameters, tmp_path, capsys, apart):
    """Its weights in its file or beside it; the facts are the step's metadata, its output, and one line."""
    stage(model.content, save_as_external_data=apart)
    record = run(parameters)
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert list(found["id"]) == list(rows["id"])
    np.testing.assert_allclose(found["probability_yes"], model.predict_proba(rows)[:, 1], atol=2e-7)
    facts = record.run_metadata
    assert set(found["model_version"]) == {facts["version"]}
    assert (facts["rows"], facts["chunks"], facts["resumed_chunks"]) == (250, 3, 0)
    assert (facts["output"], facts["seconds"] > 0) == (str(tmp_path / "out.parquet"), True)
    line = record.outputs["scored"][0].load()
    assert (
        f"250 rows scored by test_the_staged_student_scores_a_file-student version {facts['version']} in 3 chunks"
        in line
    )
    assert line in capsys.readouterr().out


@pytest.mark.usefixtures("rows")
def test_a_run_is_never_answered_from_cache(run, stage, model, parameters):
    """The alias may have moved, and the file changed."""
    stage(model.content)
    assert run(parameters).status == "completed"
    stage(exported_student(seed=1).content)
    record = run({**parameters, "overwrite": True})
    assert (record.status, record.run_metadata["version"]) == ("completed", "2")


def test_the_command_finds_the_pipeline(stage, model, rows, parameters, tmp_path):
    """`zenml pipeline run pipelines.score_pipeline -c FILE`."""
    from click.testing import CliRunner  # noqa: PLC0415  the command line imports all of ZenML
    from zenml.cli.pipeline import run_pipeline  # noqa: PLC0415

    stage(model.content)
    (tmp_path / "score.yaml").write_text(yaml.safe_dump({"parameters": parameters}))
    ran = CliRunner().invoke(run_pipeline, ["pipelines.score_pipeline", "-c", str(tmp_path / "score.yaml")])
    assert ran.exit_code == 0, ran.output
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == len(rows)


@pytest.mark.usefixtures("rows")
def test_a_model_that_is_not_there(run, stage, model, parameters):
    """Neither name nor alias: one error that says how to promote."""
    message = r"model '{}' must have a version under the alias '{}' in sqlite:.*got none; `zenml pipeline run distill"
    with pytest.raises(RegistryError, match=message.format(f"{parameters['scenario']}-student", "staging")):
        run(parameters)
    name = stage(model.content, alias="champion")
    with pytest.raises(RegistryError, match=message.format(name, "staging")):
        run(parameters)
    assert run({**parameters, "alias": "champion"}).status == "completed"


@pytest.mark.usefixtures("rows")
def test_a_model_that_is_no_onnx_file(tracking, parameters, run, tmp_path):
    """A student promoted before there was one."""
    mlflow.set_tracking_uri(tracking.tracking_uri)
    (tmp_path / "model.py").write_text(
        "import mlflow\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, model_input: list[str]) -> list[str]:\n"
        "        return model_input\n"
        "mlflow.models.set_model(Model())\n"
    )
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="student", python_model=str(tmp_path / "model.py"), pip_requirements=["mlflow"]
        )
    name = f"{parameters['scenario']}-student"
    tracking.set_registered_model_alias(name, STAGING, mlflow.register_model(info.model_uri, name).version)
    with pytest.raises(RegistryError, match=r"version 1 must hold model.onnx"):
        run(parameters)


@pytest.mark.usefixtures("rows")
def test_an_onnx_file_of_somebody_else(stage, model, parameters, run):
    """It does not say what its columns are."""
    foreign = onnx.load_model_from_string(model.content)
    del foreign.metadata_props[:]
    stage(foreign.SerializeToString())
    with pytest.raises(ArtifactError, match="must be an ONNX model exported by Distillery"):
        run(parameters)


def test_a_registry_that_does_not_answer(monkeypatch):
    """It says that nothing was scored."""

    def fail(*_):
        raise MlflowException("no answer")

    monkeypatch.setattr("steps._registry.staged_version", fail)
    with pytest.raises(RegistryError, match="cannot be used: no answer; nothing was scored: mend the registry"):
        staged_onnx("m")


def test_a_config_that_cannot_be_used(parameters, stack):
    """It is refused before a run is made, as is a stack without MLflow."""
    before = Client().list_pipeline_runs(size=1).total
    with pytest.raises(InputError, match=r"unknown key 'inptu'; did you mean 'input'\?"):
        score_pipeline(**parameters, inptu="a.csv")
    stack.activate_stack("default")
    try:
        with pytest.raises(InputError, match="run `make stack`"):
            score_pipeline(**parameters)
    finally:
        stack.activate_stack("distillery")
    assert Client().list_pipeline_runs(size=1).total == before


def test_what_cannot_be_scored_or_written_fails_with_its_own_error(stage, model, rows, parameters, run, tmp_path):
    """The step's error comes through."""
    stage(model.content)
    rows.drop(columns="income").to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(DataError, match=r"does not fit .*-student version 1:\n  column 'income' is missing"):
        run(parameters)
    (tmp_path / "out.parquet").write_text("x")
    rows.to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(OutputError, match="must not exist yet"):
        run(parameters)
    assert (tmp_path / "out.parquet").read_text() == "x"
