"""What a scoring run is told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveInt, model_validator

from distillery.errors import shortlist
from distillery.spec import Spec


class ScoreConfig(Spec):
    """Which model scores which rows, and where the scores go.

    Attributes:
        scenario: the model is this scenario's promoted student.
        model: the registered model's name, in place of `scenario`.
        alias: which version of it.
        input: a ``.csv``, ``.csv.gz`` or ``.parquet`` file, or a folder of these, taken in name order;
            relative paths start at the folder the command runs in.
        output: a ``.parquet`` file, or else a folder that gets one Parquet file per chunk.
        keys: columns copied beside the scores as they are; those of a CSV as the text that stands there.
        chunk_rows: so many rows are read, scored and written at a time.
        overwrite: whether an output that is there already is replaced, once the new one is complete.
        threads: of ONNX Runtime.
        missing: spellings of a missing value, beside a CSV's usual ones; as the model's source had them.
        separator: the CSV's field separator.

    >>> ScoreConfig.parse({"scenario": "flights", "input": "a.csv", "output": "b.parquet", "key": ["id"]})
    Traceback (most recent call last):
    distillery.errors.ConfigError: the run config has 1 mistake:
      unknown key 'key'; did you mean 'keys'? Valid keys: scenario, model, alias, ...
    """

    scenario: str | None = Field(None, min_length=1)
    model: str | None = Field(None, min_length=1)
    alias: str = Field("staging", min_length=1)
    input: str = Field(min_length=1)
    output: str = Field(min_length=1)
    keys: tuple[str, ...] = ()
    chunk_rows: PositiveInt = 100_000
    overwrite: bool = False
    threads: PositiveInt = 1
    missing: tuple[str, ...] = ()
    separator: str = Field(",", min_length=1, max_length=1)

    @model_validator(mode="after")
    def _one_model(self) -> ScoreConfig:
        if (self.scenario is None) == (self.model is None):
            raise ValueError(
                f"a run must name a scenario or a model, got scenario {self.scenario!r} and model {self.model!r}"
            )
        return self

    @model_validator(mode="after")
    def _keys_differ(self) -> ScoreConfig:
        twice = sorted({key for key in self.keys if self.keys.count(key) > 1})
        if twice:
            raise ValueError(f"keys must differ, got {shortlist(map(repr, twice))} twice")
        return self

    @model_validator(mode="after")
    def _output_is_no_input(self) -> ScoreConfig:
        read, written = Path(self.input).resolve(), Path(self.output).resolve()
        if written == read or read in written.parents:
            raise ValueError(
                f"output must lie outside the input {self.input!r}, got {self.output!r}: the next run would score it"
            )
        return self

    @property
    def model_name(self) -> str:
        """The registered model's name."""
        return self.model or f"{self.scenario}-student"
