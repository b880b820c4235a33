"""Models in a real MLflow store, opened for the domain and through the teacher's materializer."""

from __future__ import annotations

import catboost
import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from zenml.client import Client

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.errors import ArtifactError, DataError, InputError
from distillery.teachers import RegisteredSpec, Teacher
from materializers import TeacherMaterializer
from materializers.registered import open_model

N = 300
RNG = np.random.default_rng(0)
RAW = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, N),
        "member": RNG.random(N) < 0.5,
        "score": RNG.normal(size=N).astype(np.float32),
        "size": RNG.integers(0, 9, N).astype(np.int32),
        "zip": RNG.choice([1010, 2020], N),
        "city": RNG.choice(["Oslo", "Lima"], N),
    }
)
Y = np.where(RAW["score"] + (RAW["city"] == "Oslo") > 0, "yes", "no")
NUMBERS = ["age", "member", "score", "size"]


def log_spy():
    """Register a pyfunc that gives one number a row, and refuses rows of other types than its signature's."""
    trained_on = RAW.assign(zip=RAW["zip"].astype(str))
    types = trained_on.dtypes.astype(str).to_dict()

    class Spy(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            assert model_input.dtypes.astype(str).to_dict() == types
            assert set(model_input["zip"]) <= {"1010", "2020"}
            return 1 / (1 + np.exp(-model_input["score"]))

    log("pyfunc", {"python_model": Spy()}, signature=infer_signature(trained_on))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A team's own MLflow store."""
    folder = tmp_path_factory.mktemp("team")
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.MlflowClient(uri).create_experiment("team", str(folder / "artifacts"))
    return uri


@pytest.fixture
def store(server):
    """That store, with nothing registered, open for logging."""
    mlflow.set_tracking_uri(server)
    mlflow.set_experiment("team")
    yield server
    for model in mlflow.MlflowClient(server).search_registered_models():
        mlflow.MlflowClient(server).delete_registered_model(model.name)
    mlflow.set_tracking_uri("")


def log(flavor, model, **options):
    """Register a model as ``m``, and close the store's door behind."""
    with mlflow.start_run():
        info = getattr(mlflow, flavor).log_model(
            name="model", registered_model_name="m", pip_requirements=["mlflow"], **model, **options
        )
    mlflow.set_tracking_uri("")
    return info


def pipeline(c=1.0):
    encode = make_column_transformer((OneHotEncoder(), ["city", "zip"]), (StandardScaler(), NUMBERS))
    return make_pipeline(encode, LogisticRegression(C=c)).fit(RAW, Y)


def logged_pipeline(c=1.0, **options):
    return log("sklearn", {"sk_model": pipeline(c)}, serialization_format="cloudpickle", **options)


def table(columns=tuple(RAW), **roles):
    return build_table(RAW[list(columns)].assign(y=Y), Roles("y", **roles), SplitSpec(), seed=0)


def opened(store, data, uri="models:/m/1"):
    return RegisteredSpec(uri=uri, tracking_uri=store).open(data.schema, open_model)


CLASSIFIERS = {
    "xgboost": lambda: {"xgb_model": xgboost.XGBClassifier(n_estimators=5).fit(RAW[NUMBERS], Y == "yes")},
    "lightgbm": lambda: {"lgb_model": lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(RAW[NUMBERS], Y)},
    "catboost": lambda: {
        "cb_model": catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False).fit(RAW[NUMBERS], Y)
    },
}


@pytest.mark.parametrize("flavor", CLASSIFIERS)
def test_boosters_classifiers_are_asked_for_probabilities(flavor, store):
    """Their pyfunc answers with labels; their columns and classes are their own, logged without a signature."""
    given = CLASSIFIERS[flavor]()
    log(flavor, given)
    (model,) = given.values()
    ready = open_model(RegisteredSpec(uri="models:/m/1", tracking_uri=store))
    assert ready.columns == tuple(NUMBERS)
    assert list(map(str, ready.classes)) == list(map(str, model.classes_))
    rows = RAW[NUMBERS].astype(np.float64)
    np.testing.assert_allclose(ready.predict(rows), model.predict_proba(RAW[NUMBERS]), rtol=1e-6)


SIGNATURES = {
    "none": None,
    "inferred": infer_signature(RAW.astype({"age": float})),
    "any": ModelSignature(Schema([ColSpec(AnyType(), name) for name in RAW])),
    "tensor": ModelSignature(Schema([TensorSpec(np.dtype(np.float64), (-1, 6))])),
}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_a_pipeline_predicts_what_it_predicted_where_it_was_fitted(signature, store):
    """Whatever its signature says of the columns' types, or does not."""
    logged_pipeline(signature=signature)
    data = table()
    want = pipeline().predict_proba(RAW.loc[data.split("test").index])
    np.testing.assert_allclose(opened(store, data).predict_proba(data.rows("test").features), want, rtol=1e-6)


def test_columns_get_the_types_of_the_signature(store):
    """Our tables hold float64 and text; the model sees what it was trained on."""
    log_spy()
    data = table()
    rows = data.rows("test").features
    proba = opened(store, data).predict_proba(rows)
    np.testing.assert_allclose(proba[:, 1], 1 / (1 + np.exp(-rows["score"])), rtol=1e-6)


def test_numbers_listed_as_categories_reach_the_model_as_numbers(store):
    """The signature knows better than the text."""
    logged_pipeline(signature=infer_signature(RAW))
    data = table(kinds={"zip": "categorical"})
    want = pipeline().predict_proba(RAW.loc[data.split("test").index])
    np.testing.assert_allclose(opened(store, data).predict_proba(data.rows("test").features), want, rtol=1e-6)


def test_what_the_signature_does_not_allow_is_refused_in_its_words(store):
    """A missing value is no whole number."""
    log_spy()
    data = table()
    rows = data.rows("test").features.assign(age=np.nan)
    with pytest.raises(DataError, match=r"models:/m/1 cannot read these rows: MlflowException: .*age"):
        opened(store, data).predict_proba(rows)


def test_missing_text_is_what_a_csv_file_has(store):
    """Encoders that learnt NaN would take None for a category never seen."""
    frame = RAW.assign(city=RAW["city"].where(RAW["age"] < 60))
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="error"), ["city"])), LogisticRegression()
    )
    log("sklearn", {"sk_model": model.fit(frame[["city"]], Y)}, serialization_format="cloudpickle")
    ready = open_model(RegisteredSpec(uri="models:/m/1", tracking_uri=store))
    text = frame[["city"]].astype(object).where(frame[["city"]].notna(), None)
    np.testing.assert_allclose(ready.predict(text), model.predict_proba(frame[["city"]]))


def test_every_kind_of_uri_leads_to_the_version(store):
    """Alias and ``latest`` are pinned; a run and a model id name one model already."""
    info = logged_pipeline()
    mlflow.MlflowClient(store).set_registered_model_alias("m", "champion", 1)
    uris = ("models:/m@champion", "models:/m/latest", "models:/m/1", info.model_uri, f"runs:/{info.run_id}/model")
    models = [open_model(RegisteredSpec(uri=uri, tracking_uri=store)) for uri in uris]
    assert [model.uri for model in models] == [*["models:/m/1"] * 3, *uris[3:]]
    assert {model.identity for model in models} == {info.model_id}
    assert all(model.bytes > 1000 for model in models)


@pytest.mark.parametrize("uri", ["models:/nobody/1", "models:/m@nobody", "models:/m/7", "models:/a/b/c", "runs:/0/m"])
def test_a_model_that_is_not_there_is_one_clear_error(uri, store):
    """It names the URI and quotes MLflow; MLflow talks to whom it talked before."""
    logged_pipeline()
    mlflow.set_tracking_uri("sqlite:///other.db")
    with pytest.raises(InputError, match=rf"teacher {uri} must be a model in MLflow, got MlflowException: "):
        open_model(RegisteredSpec(uri=uri, tracking_uri=store))
    assert mlflow.get_tracking_uri() == "sqlite:///other.db"


@pytest.fixture
def folder(tmp_path):
    """A folder inside a local artifact store."""
    folder = f"{Client().active_stack.artifact_store.path}/test/{tmp_path.name}"
    Client().active_stack.artifact_store.makedirs(folder)
    return folder


def test_a_saved_teacher_opens_the_same_model_again(store, folder):
    """It is saved as where it lies, not as a copy; a moved alias does not change it."""
    logged_pipeline()
    client = mlflow.MlflowClient(store)
    client.set_registered_model_alias("m", "champion", 1)
    data = table()
    teacher, rows = opened(store, data, "models:/m@champion"), data.rows("test").features
    materializer = TeacherMaterializer(uri=folder)
    materializer.save(teacher)
    mlflow.set_tracking_uri(store)
    logged_pipeline(c=0.01)
    client.set_registered_model_alias("m", "champion", 2)
    loaded = materializer.load(Teacher)
    np.testing.assert_array_equal(loaded.predict_proba(rows), teacher.predict_proba(rows))
    assert loaded.to_files() == teacher.to_files()
    assert set(loaded.to_files()) == {"spec.json", "schema.json", "model.json"}
    metadata = materializer.extract_metadata(loaded)
    assert "params" not in metadata
    assert metadata["bytes"] > loaded.bytes_elsewhere > 1000


def test_a_version_that_was_given_to_another_model_is_refused(store, folder):
    """After a registered name is deleted, its versions begin anew."""
    logged_pipeline()
    materializer = TeacherMaterializer(uri=folder)
    materializer.save(opened(store, table()))
    mlflow.set_tracking_uri(store)
    mlflow.MlflowClient(store).delete_registered_model("m")
    logged_pipeline()
    with pytest.raises(ArtifactError, match=r"models:/m/1 must still be the model m-\w+, got m-\w+; open the teacher"):
        materializer.load(Teacher)
