"""A small exported student, rows for it, and a way to score them in a folder."""

from __future__ import annotations

import pytest

from distillery.scoring import ScoreConfig, score_files
from tests.exported import exported_student, raw_rows


@pytest.fixture(scope="session")
def model():
    """A student of two classes."""
    return exported_student()


@pytest.fixture(scope="session")
def rows():
    """300 raw rows."""
    return raw_rows(300, seed=1)


@pytest.fixture
def notes():
    """What the last runs had to say."""
    return []


@pytest.fixture
def score(model, tmp_path, notes):
    """Score a file of the folder in chunks of 120 rows."""

    def run(name, *, output="out.parquet", version="7", by=model, **settings):
        paths = {"input": str(tmp_path / name), "output": str(tmp_path / output)}
        config = ScoreConfig(scenario="toy", **paths, **{"chunk_rows": 120, **settings})
        return score_files(by, config, version=version, progress=notes.append)

    return run
