"""The scenarios in ``configs/``: every one can be run, and the template's examples are true."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import yaml

from distillery.config import DistillConfig
from distillery.data.sources import FileSpec, MovieLensSpec
from distillery.data.sources.flights import FEATURES
from distillery.networks.multi_task import Architecture
from distillery.scoring import ScoreConfig
from distillery.students import MultiTaskSpec

CONFIGS = Path(__file__).parents[1] / "configs"
TEMPLATE = (CONFIGS / "own_table.yaml").read_text(encoding="utf-8")
SCORING = sorted(CONFIGS.glob("score_*.yaml"))
PATHS = sorted(set(CONFIGS.glob("*.yaml")) - {*SCORING})


def read(text: str) -> Any:
    return yaml.safe_load(text)


def uncommented() -> dict[str, Any]:
    """The template's parameters with every commented key taken in."""
    head, body = TEMPLATE.split("parameters:\n")
    assert all(line.startswith("#") for line in head.splitlines())
    parameters: dict[str, Any] = read(re.sub(r"^( +)# ", r"\1", body, flags=re.MULTILINE))
    return parameters


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_config_is_read(path: Path) -> None:
    """And none sets the cache for all steps: ``enable_cache`` at the top would override their own choice."""
    content = read(path.read_text(encoding="utf-8"))
    assert "enable_cache" not in content
    assert DistillConfig.parse(content["parameters"]).students


def test_the_funnel_has_every_architecture() -> None:
    """The benchmark compares the students of this config."""
    content = read((CONFIGS / "funnel.yaml").read_text(encoding="utf-8"))
    students = DistillConfig.parse(content["parameters"]).students
    found = {spec.architecture for spec in students if isinstance(spec, MultiTaskSpec)}
    assert found == set(get_args(Architecture))


@pytest.mark.parametrize("path", SCORING, ids=lambda path: path.name)
def test_every_scoring_config_is_read(path: Path) -> None:
    """Its scenario is one that is there."""
    config = ScoreConfig.parse(read(path.read_text(encoding="utf-8"))["parameters"])
    assert CONFIGS / f"{config.scenario}.yaml" in PATHS


def test_the_rows_to_score_are_written_where_the_config_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make score-data` gives the file, with the key columns of ``score_flights.yaml``."""
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(CONFIGS.parent / "infra" / "score_data.py"), run_name="__main__")
    config = ScoreConfig.parse(read((CONFIGS / "score_flights.yaml").read_text(encoding="utf-8"))["parameters"])
    rows = pd.read_parquet(config.input)
    assert set(FEATURES) | set(config.keys) <= set(rows)
    assert rows["flight"].is_unique


def test_the_films_to_score_are_written_as_the_config_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command in its head: the latest ratings, each with a key of its own."""
    text = (CONFIGS / "score_recommend.yaml").read_text(encoding="utf-8")
    config = ScoreConfig.parse(read(text)["parameters"])
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(re.search(r"python -c '(.*)'$", text, re.MULTILINE)[1])  # type: ignore[index]
    rows, every = pd.read_parquet(config.input), MovieLensSpec().read()
    assert not rows.duplicated(list(config.keys)).any()
    assert rows["timestamp"].min() >= every["timestamp"].nlargest(len(rows)).min()


def test_configs_do_not_share_a_scenario() -> None:
    """Two would write into one experiment and stage one model in turn."""
    names = [DistillConfig.parse(read(path.read_text(encoding="utf-8"))["parameters"]).name for path in PATHS]
    assert len(set(names)) == len(names)


def test_the_template_needs_no_more_than_a_path_and_a_target() -> None:
    """As it stands it says just that."""
    config = DistillConfig.parse(read(TEMPLATE)["parameters"])
    assert config.source == FileSpec(path="data/credit.csv", target="defaulted")
    assert (config.name, config.model_name) == ("credit", "credit-student")
    assert config.model_copy(update={"source": DistillConfig().source}) == DistillConfig()


def test_the_template_shows_every_key_of_a_file() -> None:
    """And no line of its body is prose: with the comment marks taken away it is a config."""
    parameters = uncommented()
    assert set(parameters["source"]) == set(FileSpec.model_fields)
    assert {"scenario", "seed", "validation", "teacher", "soft_labels", "students", "gates"} <= set(parameters)
    config = DistillConfig.parse(parameters)
    assert config.validation.constant_columns == "refuse"
    assert [student.max_parameters for student in config.students] == [40_000, None]


def test_the_template_reads_the_table_it_speaks_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of loans with these columns gets these roles."""
    n = 400
    rng = np.random.default_rng(0)
    loans = pd.DataFrame(
        {
            "loan_id": range(n),
            "collected": rng.normal(size=n),
            "customer_id": np.arange(n) // 4,
            "applied_on": pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d"),
            "exposure": rng.uniform(1, 9, n),
            "bureau_score": rng.choice(["?", "512", "640"], n),
            "purpose_note": rng.choice(["a new roof", "the old car"], n),
            "branch": rng.integers(1, 9, n),
            "postcode": rng.integers(10, 99, n),
            "term_months": rng.choice(["12", "24", "unknown"], n),
            "age": rng.integers(18, 90, n),
            "defaulted": rng.choice(["no", "yes"], n),
            "split": np.repeat(["train", "valid", "test"], [240, 60, 100]),
        }
    )
    (tmp_path / "data").mkdir()
    loans.to_csv(tmp_path / "data" / "credit.csv", sep=";", index=False)
    monkeypatch.chdir(tmp_path)
    schema = DistillConfig.parse(uncommented()).source.load(seed=0).schema
    assert (schema.group, schema.time, schema.weight) == ("customer_id", "applied_on", "exposure")
    assert schema.classes == ("no", "yes")
    assert [c.name for c in schema.numeric] == ["bureau_score", "term_months", "age"]
    assert [c.name for c in schema.categorical] == ["branch", "postcode"]
    assert [c.name for c in schema.columns if c.privileged] == ["bureau_score"]
    assert min(c.missing for c in schema.numeric[:2]) > 0.2
