"""The published layouts of Avazu's and Criteo's logs, and one's own Parquet: what a reader hands on."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from distillery.config import DistillConfig
from distillery.data.log import LogReader
from distillery.data.sources import AvazuSpec, CriteoSpec, CtrLogSpec, ParquetLogSpec
from distillery.errors import DataError

AVAZU_NAMES = (
    "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,app_category,device_id,device_ip,"
    "device_model,device_type,device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21"
)
AVAZU = (
    "1000009418151094273,{click},{hour},1005,0,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,"
    "ddd2926e,44956a24,1,2,15706,320,50,1722,0,35,-1,79"
)
CRITEO_NAMES = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]
CRITEO = [
    "{label}",
    "1",
    "-1",
    "5",
    "0",
    "1382",
    "4",
    "15",
    "2",
    "181",
    "1",
    "2",
    "",
    "2",
    "68fd1e64",
    *["80e26c9b"] * 25,
]

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a writer of lines, gzipped where the name says so."""

    def write_lines(lines: list[str], name: str) -> str:
        content = ("\n".join(lines) + "\n").encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return str(tmp_path / name)

    return write_lines


def avazu(click: object = 0, hour: object = 14102100) -> str:
    return AVAZU.format(click=click, hour=hour)


def criteo(label: object = 0) -> str:
    return "\t".join(CRITEO).format(label=label)


def frame(reader: LogReader, columns: list[str] | None = None) -> pd.DataFrame:
    return pa.concat_tables(reader.chunks(columns)).unify_dictionaries().to_pandas()


@pytest.mark.parametrize("name", ["train", "train.csv", "train.gz"])
@pytest.mark.parametrize("header", [True, False])
def test_avazus_log_is_read_as_published(write: Write, header: bool, name: str) -> None:
    """The stamp becomes hour, weekday and time; the row's number is no feature; all else is text."""
    lines = [*([AVAZU_NAMES] if header else []), avazu(0, 14102100), avazu(1, 14102523), avazu(0, 14103009)]
    reader = AvazuSpec(path=write(lines, name)).reader()
    rows = frame(reader)
    raw = [n for n in AVAZU_NAMES.split(",") if n not in {"id", "click", "hour"}]
    assert list(reader.kinds) == ["weekday", "hour", *raw]
    assert set(reader.kinds.values()) == {"categorical"}
    assert (reader.roles.target, reader.roles.positive, reader.roles.time) == ("click", 1, "time")
    assert list(rows) == reader.columns == [*reader.kinds, "click", "time"]
    assert rows["weekday"].tolist() == ["Tue", "Sat", "Thu"]
    assert rows["hour"].tolist() == ["0", "23", "9"]
    assert rows["time"].tolist() == [14102100, 14102523, 14103009]
    assert rows["click"].tolist() == [0, 1, 0]
    assert rows.loc[0, ["C1", "site_id", "C20", "C21"]].tolist() == ["1005", "1fbe01fe", "-1", "79"]


def test_avazus_log_may_be_parquet(write: Write, tmp_path: Path) -> None:
    """Numbers there are the same texts."""
    path = write([AVAZU_NAMES, *(avazu(i % 2, 14102100 + i % 24) for i in range(50))], "train.csv")
    (tmp_path / "folder").mkdir()
    pq.write_table(pa.csv.read_csv(path), tmp_path / "folder" / "part.parquet")
    from_text, from_parquet = (frame(AvazuSpec(path=p).reader()) for p in (path, str(tmp_path / "folder")))
    pd.testing.assert_frame_equal(from_text.astype(object), from_parquet.astype(object))


@pytest.mark.parametrize("name", ["train.txt", "train.txt.gz"])
@pytest.mark.parametrize("header", [True, False])
def test_criteos_log_is_read_as_published(write: Write, header: bool, name: str) -> None:
    """Thirteen numbers and 26 hashes, any of which may be missing."""
    lines = [*(["\t".join(CRITEO_NAMES)] if header else []), criteo(0), criteo(1), "1" + "\t" * 39]
    reader = CriteoSpec(path=write(lines, name)).reader()
    rows = frame(reader)
    assert list(reader.kinds) == CRITEO_NAMES[1:]
    assert [reader.kinds[n] for n in ("I1", "I13", "C1", "C26")] == ["numeric", "numeric", "categorical", "categorical"]
    assert rows["label"].tolist() == [0, 1, 1]
    assert rows.loc[0, ["I1", "I2", "I5", "C1", "C26"]].tolist() == [1, -1, 1382, "68fd1e64", "80e26c9b"]
    assert rows["I12"].isna().all()
    assert rows.loc[2, CRITEO_NAMES[1:]].isna().all()
    assert {str(rows[n].dtype) for n in CRITEO_NAMES[1:14]} == {"float64"}


def test_rows_whose_target_or_time_cannot_be_read_are_bad(write: Write) -> None:
    """They are left out whatever columns are asked for; samples name line and values."""
    bad = [avazu("x"), avazu(0, 14102125), avazu(2), avazu(0, ""), "1,2,3"]
    lines = [AVAZU_NAMES, avazu(0), *bad, avazu(1)]
    reader = AvazuSpec(path=write(lines, "train.csv"), max_bad_rows=5, chunk_rows=2).reader()
    assert frame(reader)["click"].tolist() == [0, 1]
    assert frame(reader, ["time"])["time"].tolist() == [14102100, 14102100]
    assert reader.bad.count == 5
    shown = dict(reader.bad.samples)
    assert sorted(shown) == [3, 4, 5, 6, 7]
    assert shown[3] == "click='x', hour='14102100'"
    assert shown[4] == "click='0', hour='14102125'"
    assert shown[7] == "1,2,3 (3 fields instead of 24)"
    with pytest.raises(DataError, match="but for 4 rows, got 5 bad ones"):
        frame(AvazuSpec(path=reader.file.path.as_posix(), max_bad_rows=4).reader())  # type: ignore[attr-defined]


def test_only_the_first_rows_are_read_where_so_many_are_asked_for(write: Write) -> None:
    """Bad rows are not among them."""
    path = write([avazu(i % 2, 14102100 + i) for i in range(23)], "train")
    for chunk_rows in (3, 7, 100):
        reader = AvazuSpec(path=path, rows=10, chunk_rows=chunk_rows).reader()
        assert frame(reader)["time"].tolist() == list(range(14102100, 14102110))


@pytest.mark.parametrize(
    ("spec", "lines", "message"),
    [
        (AvazuSpec, ["id,hour,C1", "1,14102100,5"], "must have the columns click and hour, got no click"),
        (CriteoSpec, ["label\tI1", "0\t1"], "must have the columns label, I1 to I13 and C1 to C26"),
        (CriteoSpec, [criteo().replace("1382", "many")], r"got 1 bad ones of 1 \(line 1: .*I5='many'"),
    ],
)
def test_another_layout_is_refused(write: Write, spec: Any, lines: list[str], message: str) -> None:
    """With what must be there."""
    with pytest.raises(DataError, match=message):
        frame(spec(path=write(lines, "train.csv")).reader())


# --- one's own Parquet ----------------------------------------------------------------------


def own(folder: Path, **columns: Any) -> str:
    n = 60
    rng = np.random.default_rng(0)
    table = {
        "shop": pa.array([f"s{i % 5}" for i in range(n)]),
        "code": pa.array([str(i % 4) for i in range(n)]),
        "size": pa.array(rng.normal(size=n)),
        "rooms": pa.array(rng.integers(0, 9, n)),
        "new": pa.array(rng.random(n) < 0.5),
        "day": pa.array(range(n)),
        "bought": pa.array(["no", "yes"] * (n // 2)),
    }
    pq.write_table(pa.table(table | columns), folder / "part-0.parquet")
    return str(folder)


def test_ones_own_log_has_roles_and_kinds(tmp_path: Path) -> None:
    """Text is categorical even where it is all digits; a kind can be set; texts are spelled as everywhere."""
    spec = ParquetLogSpec(
        path=own(tmp_path), target="bought", time="day", drop=("new",), privileged=("size",), categorical=("rooms",)
    )
    reader = spec.reader()
    assert reader.kinds == {
        "shop": "categorical",
        "code": "categorical",
        "size": "numeric",
        "rooms": "categorical",
    }
    assert list(reader.roles.privileged) == ["size"]
    rows, raw = frame(reader), pq.read_table(tmp_path).to_pandas()
    assert list(rows) == [*reader.kinds, "bought", "day"]
    assert rows["rooms"].tolist() == raw["rooms"].astype(str).tolist()
    np.testing.assert_array_equal(rows[["size", "day"]], raw[["size", "day"]])


def test_a_ready_split_is_handed_on(tmp_path: Path) -> None:
    """It is no feature."""
    path = own(tmp_path, part=pa.array(["train", "valid", "test"] * 20))
    reader = ParquetLogSpec(path=path, target="bought", split={"column": "part"}).reader()
    assert "part" not in reader.kinds
    assert frame(reader, ["part"])["part"].tolist()[:3] == ["train", "valid", "test"]


def test_rows_without_target_or_time_are_bad_and_gaps_are_no_text(tmp_path: Path) -> None:
    """An empty text is missing as well."""
    n = 60
    path = own(
        tmp_path,
        bought=pa.array([None, *["no", "yes"] * 29, "no"]),
        day=pa.array([1, None, *range(n - 2)]),
        shop=pa.array(["a", "a", "", None, *["b"] * (n - 4)]),
        size=pa.array([1.0, 1.0, np.nan, None, *[0.5] * (n - 4)]),
    )
    reader = ParquetLogSpec(path=path, target="bought", time="day", max_bad_rows=2).reader()
    rows = frame(reader)
    assert reader.bad.samples == [(1, "bought=None, day=1"), (2, "bought='no', day=None")]
    assert rows[["shop", "size"]].isna().sum().tolist() == [2, 2]
    assert len(rows) == n - 2


@pytest.mark.parametrize(
    ("columns", "keys", "message"),
    [
        ({"size": pa.array([np.inf] + [0.0] * 59)}, {}, "column 'size' must be finite, got inf"),
        (
            {"size": pa.array([["a"]] * 60)},
            {},
            "column 'size' must hold numbers or text, got list.*list it under `drop`",
        ),
        ({"size": pa.array([pd.Timestamp("2020")] * 60)}, {}, "column 'size' holds dates; name it as `time`"),
        ({}, {"numeric": ("shop",)}, "column 'shop' must be numeric, got: .*list it under `categorical`"),
        ({}, {"drop": ("shops",)}, "column 'shops' is not in the log; did you mean 'shop'"),
        ({}, {"drop": ("shop", "code", "size", "rooms", "new", "day")}, "at least one feature column, got none"),
    ],
)
def test_columns_that_cannot_be_features_are_refused(tmp_path: Path, columns: Any, keys: Any, message: str) -> None:
    """One sentence names the column and what to do."""
    with pytest.raises(DataError, match=message):
        frame(ParquetLogSpec(path=own(tmp_path, **columns), target="bought", **keys).reader())


def test_a_reader_names_the_column_that_it_has_not(tmp_path: Path) -> None:
    """With the nearest one."""
    with pytest.raises(DataError, match="column 'shp' is not in the log; did you mean 'shop'"):
        frame(ParquetLogSpec(path=own(tmp_path), target="bought").reader(), ["shp"])


# --- what can be set -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"keep_negatives": 0}, "greater than 0"),
        ({"keep_negatives": 1.5}, "less than or equal to 1"),
        ({"buckets": -1}, "greater than or equal to 0"),
        ({"chunk_rows": 0}, "greater than 0"),
        ({"max_bad_rows": -1}, "greater than or equal to 0"),
        ({"max_bad_rows": 1.5}, "less than 1"),
        ({"min_cout": 3}, "unknown key 'min_cout'; did you mean 'min_count'"),
    ],
)
def test_values_out_of_range_are_refused(keys: dict[str, Any], message: str) -> None:
    """Before anything is read."""
    with pytest.raises(ValidationError, match=message):
        AvazuSpec(path="train", **keys)


def test_a_column_has_one_role() -> None:
    """As in a table of one's own."""
    with pytest.raises(ValidationError, match="a column must have one role, got several for 'y'"):
        ParquetLogSpec(path="log", target="y", drop=("y",))


@pytest.mark.parametrize(
    ("source", "scenario"),
    [
        ({"kind": "avazu", "path": "data/train.gz"}, "train"),
        ({"kind": "criteo", "path": "data/train.txt"}, "train"),
        ({"kind": "parquet_log", "path": "data/log", "target": "click"}, "log"),
        ({"kind": "ctr_log"}, "ctr_log"),
    ],
)
def test_a_run_config_can_name_a_log(source: dict[str, Any], scenario: str) -> None:
    """The kinds are registered; the scenario is called after the file; the default models learn from disk."""
    config = DistillConfig.parse({"source": source})
    assert config.source.kind == source["kind"]
    assert config.source.default_scenario == scenario
    assert isinstance(config.source, AvazuSpec | CriteoSpec | ParquetLogSpec | CtrLogSpec)
    assert all(spec.streams for spec in (config.teacher, *config.students))
