"""What a run config may say, and what it answers when it says something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from distillery.config import DistillConfig, flatten
from distillery.data.sources import FileSpec, FlightsSpec
from distillery.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "configs"
OWN = {"kind": "file", "path": "data/churn.csv", "target": "churned"}


def read(name: str) -> Any:
    return yaml.safe_load((CONFIGS / name).read_text(encoding="utf-8"))


def test_the_flights_config_spells_out_the_defaults() -> None:
    """The default scenario's file and no file at all are the same run."""
    spelled = DistillConfig.parse(read("flights.yaml")["parameters"])
    assert spelled == DistillConfig(scenario="flights")
    assert spelled.name == DistillConfig().name == "flights"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sed": 1}, r"has 1 mistake:\n  unknown key 'sed'; did you mean 'seed'\? Valid keys: scenario, seed"),
        ({"gates": {"min_auc": 1}}, r"gates: unknown key 'min_auc'.* Valid keys: min_auc_retention"),
        ({"source": {"kind": "flights", "row": 5}}, r"source\.flights: unknown key 'row'; did you mean 'rows'\?"),
        (
            {"source": {**OWN, "split": {"tets": 0.2}}},
            r"source\.file\.split: unknown key 'tets'; did you mean 'test'\?",
        ),
        ({"source": {"kind": "fligths"}}, r"source: Input tag 'fligths' found using 'kind'.*'flights', 'file'"),
        ({"source": {"rows": 10}}, "source: Unable to extract tag using discriminator 'kind'"),
        (
            {"students": [{"kind": "mpl"}]},
            r"students\.0: student kind must be one of logistic_regression.*got 'mpl'; did you mean 'mlp'",
        ),
        (
            {"students": [{"kind": "mlp", "temprature": 2}]},
            r"students\.0: unknown key 'temprature'; did you mean 'temperature'\?",
        ),
        ({"teacher": {"kind": "xgbost"}}, "teacher kind must be one of .*, got 'xgbost'; did you mean 'xgboost'"),
        ({"students": [{"kind": "mlp", "alpha": 1.01}]}, r"alpha: .*less than or equal to 1, got 1\.01"),
        ({"students": [{"kind": "mlp", "alpha": -0.1}]}, r"alpha: .*greater than or equal to 0, got -0\.1"),
        ({"students": [{"kind": "mlp", "temperature": 0}]}, "temperature: .*greater than 0, got 0"),
        ({"students": [{"kind": "mlp", "temperature": -1}]}, "temperature: .*greater than 0, got -1"),
        ({"students": []}, "students: .*at least 1 item"),
        (
            {"students": [{"kind": "mlp"}, {"kind": "mlp", "alpha": 0.5}]},
            "students: candidates must differ in name, got mlp twice; give each a `name`",
        ),
        (
            {"students": [{"kind": "mlp", "name": "a"}, {"kind": "logistic_regression", "name": "a"}]},
            "candidates must differ in name, got a twice",
        ),
        ({"students": [{"kind": "mlp", "name": "a b"}]}, "name: String should match pattern"),
        (
            {"source": {"kind": "flights", "split": {"train": 0.6, "valid": 0.2, "test": 0.3}}},
            r"train \+ valid \+ test must be 1, got 1\.1",
        ),
        ({"source": {**OWN, "drop": ["churned"]}}, "a column must have one role, got several for 'churned'"),
        ({"source": {**OWN, "group": "g", "time": "g"}}, "a column must have one role, got several for 'g'"),
        ({"source": {**OWN, "privileged": ["a"], "weight": "a"}}, "a column must have one role, got several for 'a'"),
        ({"source": {**OWN, "numeric": ["a"], "categorical": ["a"]}}, "one role, got several for 'a'"),
        ({"source": {**OWN, "split": {"column": "s"}, "drop": ["s"]}}, "one role, got several for 's'"),
        ({"source": {"kind": "file", "path": "a.csv"}}, "source.file: a file must have `target`, or several"),
        ({"source": {**OWN, "separator": ";;"}}, "separator: String should have at most 1 character"),
        (
            {"evaluation": {"relevant_from": 1}},
            "must come with a query to rank within, got 1 and no query",
        ),
        ({"seed": -1}, "seed: .*greater than or equal to 0, got -1"),
        ({"scenario": "a/b"}, "scenario: String should match pattern"),
        ({"soft_labels": {"folds": 1}}, r"soft_labels\.folds: .*greater than or equal to 2, got 1"),
        ({"gates": {"beats_control": "yes"}}, "beats_control: Input should be 'shown', 'point' or 'off', got 'yes'"),
        ({"validation": {"expectations": [{"typ": "x"}]}}, r"expectations\.0: unknown key 'typ'; did you mean 'type'"),
    ],
)
def test_a_mistake_is_named_with_its_place(parameters: dict[str, Any], message: str) -> None:
    """The message says where the mistake stands, what was given and what is valid."""
    with pytest.raises(ConfigError, match=message):
        DistillConfig.parse(parameters)


def test_all_mistakes_come_in_one_message() -> None:
    """Nobody mends a config one run at a time."""
    with pytest.raises(ConfigError, match="has 2 mistakes:") as caught:
        DistillConfig.parse({"seed": -1, "gates": {"max_bytes": 0}})
    assert [line.split(":")[0] for line in str(caught.value).splitlines()[1:]] == ["  seed", "  gates.max_bytes"]


@pytest.mark.parametrize("edge", [{"alpha": 0}, {"alpha": 1}, {"temperature": 0.01}])
def test_the_edges_of_a_range_are_valid(edge: dict[str, float]) -> None:
    """Bounds are inclusive where the docs say so."""
    assert DistillConfig.parse({"students": [{"kind": "mlp", **edge}]}).students[0].kind == "mlp"


def test_a_config_is_frozen_all_the_way_down() -> None:
    """A step cannot change what a later step reads."""
    config = DistillConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1
    with pytest.raises(ValidationError, match="frozen"):
        config.students[0].alpha = 0.0


def test_a_config_survives_json() -> None:
    """What is logged with a run can be run again."""
    config = DistillConfig.parse({"source": OWN, "students": [{"kind": "mlp", "name": "a", "widths": [8]}]})
    assert DistillConfig.parse(yaml.safe_load(config.model_dump_json())) == config


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (FlightsSpec(), "flights"),
        (FileSpec(path="data/churn.csv", target="y"), "churn"),
        (FileSpec(path="data/churn.csv.gz", target="y"), "churn"),
        (FileSpec(path="data/folder/", target="y"), "folder"),
    ],
)
def test_a_scenario_without_a_name_takes_its_sources(source: Any, name: str) -> None:
    """The default scenario name is the file's, without its endings."""
    assert DistillConfig(source=source).name == name
    assert DistillConfig(source=source, scenario="mine").model_name == "mine-student"


@pytest.mark.parametrize(
    ("settings", "flat"),
    [
        ({}, {}),
        ({"a": 1}, {"a": 1}),
        ({"a": {"b": {"c": None}}}, {"a.b.c": None}),
        ({"a": [1, 2]}, {"a": "1, 2"}),
        ({"a": []}, {"a": []}),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a.0.b": 1, "a.1.b": 2}),
        ({"a": {}}, {}),
    ],
)
def test_flatten_gives_dotted_names(settings: dict[str, Any], flat: dict[str, Any]) -> None:
    """Nested settings become one level, as a tracker shows them."""
    assert flatten(settings) == flat


def test_every_setting_of_a_config_is_flattened() -> None:
    """Candidates are told apart by their number; no value is nested any more."""
    flat = flatten(DistillConfig().model_dump(mode="json"))
    assert flat["students.0.kind"] == "mlp"
    assert flat["students.1.alpha"] == 0.8
    assert flat["students.0.widths"] == "80, 40"
    assert not any(isinstance(value, dict) for value in flat.values())


@pytest.mark.parametrize("path", ["export_10:00.csv", "/", "..."])
def test_a_file_whose_name_cannot_name_a_model_needs_a_scenario(path):
    """MLflow refuses such names, but only when everything has been trained."""
    source = {"kind": "file", "path": path, "target": "y"}
    with pytest.raises(ConfigError, match=r"scenario must name an experiment and a model, got .*; set `scenario`"):
        DistillConfig.parse({"source": source})
    assert DistillConfig.parse({"source": source, "scenario": "fine"}).name == "fine"


def test_infinite_settings_are_refused():
    """Training would only find out after the teacher."""
    with pytest.raises(ConfigError, match=r"temperature: Input should be a finite number"):
        DistillConfig.parse({"students": [{"kind": "mlp", "temperature": float("inf")}]})


@pytest.mark.parametrize("method", ["cross_fitted", "in_sample"])
def test_a_ready_made_teacher_labels_in_sample(method):
    """It cannot be fitted without some rows, whatever is asked; what is logged and checked says so."""
    teacher = {"kind": "registered", "uri": "models:/churn@champion", "classes": ["no", "yes"]}
    config = DistillConfig.parse({"teacher": teacher, "soft_labels": {"method": method, "folds": 7}})
    assert (config.soft_labels.method, config.soft_labels.needed_folds) == ("in_sample", None)
    assert DistillConfig.parse({"teacher": teacher}).soft_labels.method == "in_sample"
    assert DistillConfig.parse({"soft_labels": {"method": method}}).soft_labels.method == method
    assert DistillConfig.parse(yaml.safe_load(config.model_dump_json())) == config


def test_a_registered_teacher_must_say_where_it_lies():
    """The message gives the forms of the URI."""
    with pytest.raises(ConfigError, match=r"teacher\.uri: Field required"):
        DistillConfig.parse({"teacher": {"kind": "registered"}})
    with pytest.raises(ConfigError, match=r"teacher\.uri: must be models:/<name>@<alias>, .*, got 'churn'"):
        DistillConfig.parse({"teacher": {"kind": "registered", "uri": "churn"}})
