"""What a scoring config may say."""

from __future__ import annotations

import pytest

from distillery.errors import ConfigError
from distillery.scoring import ScoreConfig

LEAST = {"scenario": "flights", "input": "in.csv", "output": "out.parquet"}


def test_a_scenario_names_its_student_and_a_model_itself():
    """The alias is staging unless another is asked for."""
    config = ScoreConfig.parse(LEAST)
    assert (config.model_name, config.alias) == ("flights-student", "staging")
    other = ScoreConfig.parse({"model": "mine", "alias": "champion", "input": "a.csv", "output": "b"})
    assert (other.model_name, other.alias) == ("mine", "champion")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": ["id"]}, r"unknown key 'key'; did you mean 'keys'\?"),
        ({"model": "m"}, "must name a scenario or a model, got scenario 'flights' and model 'm'"),
        ({"scenario": None}, "must name a scenario or a model, got scenario None and model None"),
        ({"keys": ["id", "id"]}, "keys must differ, got 'id' twice"),
        ({"chunk_rows": 0}, "chunk_rows: Input should be greater than 0, got 0"),
        ({"threads": 0}, "threads: Input should be greater than 0, got 0"),
        ({"separator": "||"}, "separator: .* at most 1 character"),
        ({"output": "./in.csv"}, "output must lie outside the input 'in.csv'"),
        ({"input": "data", "output": "data/x/out.parquet"}, "output must lie outside the input 'data'"),
    ],
)
def test_a_mistake_is_named(change, message):
    """Before anything runs."""
    with pytest.raises(ConfigError, match=message):
        ScoreConfig.parse({**LEAST, **change})
