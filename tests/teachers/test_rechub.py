"""torch-rechub's models as teachers."""

from __future__ import annotations

import re
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from distillery.errors import InputError
from distillery.export import ExportError, to_onnx
from distillery.networks.fitted import FittedNetwork
from distillery.networks.reading import Reading
from distillery.teachers import RechubSpec
from tests.checks import make_table

installed = pytest.mark.skipif(find_spec("torch_rechub") is None, reason="the extra `rechub` is not installed")
MODELS = ["WideDeep", "DeepFM", "DCN", "DCNv2", "AutoInt"]


def small(**changes) -> RechubSpec:
    return RechubSpec(**{"embedding": 4, "widths": (8,), "bins": 4, "epochs": 8, "batch_size": 64, **changes})


def fitted(spec, table):
    return spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)


@installed
@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns(model):
    """Of mixed columns, where guessing is right in half of the rows."""
    table = make_table()
    test = table.rows("test")
    teacher = fitted(small(model=model, learning_rate=2e-2), table)
    assert (teacher.predict_proba(test.features).argmax(axis=1) == test.labels).mean() > 0.8


@installed
@pytest.mark.parametrize("model", MODELS)
def test_logits_are_the_models_own_log_odds(model):
    """Of the class that the package ships, with the columns by hand; within what is clipped."""
    table = make_table()
    spec, train = small(model=model), table.rows("train")
    reading = Reading.learn(spec, table.schema, train)
    network = spec.build(reading).eval()
    numbers, missing, codes = reading(train)
    columns = network.encoder._columns(numbers, missing, codes)
    with torch.no_grad():
        z = network(numbers, missing, codes)
        p = network.encoder.models[0](columns)
    assert type(network.encoder.models[0]).__module__.startswith("torch_rechub.models.ranking")
    torch.testing.assert_close(z.softmax(dim=1)[:, 1], p)
    assert set(columns) == {f"{part}_{j}" for part in ("number", "bin") for j in range(3)} | {"code_0", "code_1"}
    absent = train.features["signal"].isna().to_numpy()
    assert (columns["bin_0"].numpy()[absent] == columns["bin_0"].max().item()).all()
    assert (columns["bin_0"].numpy()[~absent] < columns["bin_0"].max().item()).all()
    for j, column in enumerate(table.schema.categorical):
        assert columns[f"code_{j}"].max() <= len(column.categories) + 1


@installed
def test_gradients_reach_every_table():
    """Of each class's own model: they share nothing."""
    table = make_table(classes=3)
    spec, train = small(), table.rows("train")
    reading = Reading.learn(spec, table.schema, train)
    network = spec.build(reading).train()
    network(*reading(train)).square().sum().backward()
    tables = [m.weight for m in network.modules() if isinstance(m, torch.nn.Embedding)]
    assert len(tables) == 3 * 5
    assert FittedNetwork(reading, network).parameter_count().tables == sum(weight.numel() for weight in tables) > 0
    assert all(weight.grad.abs().sum() > 0 for weight in tables)


@installed
def test_certainty_stays_finite_and_a_last_batch_may_be_one_row():
    """A probability of 1 has log odds of 13.8; batch normalization alone would refuse a single row."""
    table = make_table()
    train = table.rows("train")
    spec = small(batch_size=len(train) - 1, epochs=1)
    network = fitted(spec, table).fitted.network
    for model in network.encoder.models:
        model.linear.fc.bias.data += 1e4
    z = network(*Reading.learn(spec, table.schema, train)(train))
    assert z.detach().numpy()[:, 1] == pytest.approx(np.full(len(train), 13.8), abs=0.2)


@installed
def test_params_reach_the_model_or_are_refused():
    """By the names of its own arguments."""
    table = make_table()
    one, two = (fitted(small(model="DCN", epochs=1, params={"n_cross_layers": n}), table) for n in (1, 4))
    assert two.parameter_count().learnable > one.parameter_count().learnable
    with pytest.raises(InputError, match=r"params of DCN must be among n_cross_layers, got 'n_cros'; did you mean"):
        fitted(small(model="DCN", params={"n_cros": 1}), table)


@installed
def test_it_has_no_onnx_form():
    """Said so, and not half done."""
    with pytest.raises(ExportError, match="LogOdds must define their ONNX form"):
        to_onnx(fitted(small(epochs=1), make_table()))


def test_a_missing_package_is_named(monkeypatch):
    """With the way out."""
    monkeypatch.setattr("distillery.teachers.rechub.find_spec", lambda _: None)
    message = "teacher kind `rechub` needs the package torch-rechub, which is not installed; install the extra `rechub`"
    with pytest.raises(InputError, match=re.escape(message)):
        fitted(small(), make_table())
