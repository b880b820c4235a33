"""An output is there whole or not at all, and a stopped run goes on where it was."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from distillery.errors import DataError
from distillery.scoring import OutputError, output
from distillery.scoring.inputs import InputFile
from tests.exported import exported_student

OUTPUTS = ("out.parquet", "out")


class StopError(Exception):
    """Stands for whatever ends a run."""


def content(path):
    """The bytes of a file, or of a folder's files by name."""
    return path.read_bytes() if path.is_file() else {part.name: part.read_bytes() for part in path.iterdir()}


@pytest.fixture(params=["in.csv", "in.parquet", "folder"])
def name(request, rows, tmp_path):
    """The rows as an input of each kind; a folder's first file ends where a chunk does."""
    rows.to_csv(tmp_path / "in.csv", index=False)
    rows.to_parquet(tmp_path / "in.parquet", index=False, row_group_size=90)
    (tmp_path / "folder").mkdir()
    rows[:60].to_csv(tmp_path / "folder" / "a.csv", index=False)
    rows[60:].to_csv(tmp_path / "folder" / "b.csv", index=False)
    return request.param


@pytest.fixture
def stop_after(monkeypatch):
    """Let a run fail when so many parts are written; with an error in place of the next."""
    write = output.pq.write_table

    def prepare(parts, error):
        written = []

        def write_or_fail(table, file, **settings):
            if len(written) == parts:
                file.write(b"half a part")
                raise error
            written.append(1)
            write(table, file, **settings)

        monkeypatch.setattr(output.pq, "write_table", write_or_fail)

    yield prepare
    monkeypatch.undo()


@pytest.mark.parametrize("place", OUTPUTS)
@pytest.mark.parametrize("parts", [0, 1, 2, 3, 9])
def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(
    score, tmp_path, name, place, parts, stop_after, monkeypatch, notes
):
    """Byte by byte; the parts that were finished are not scored again."""
    score(name, output=f"undisturbed/{place}", chunk_rows=30)
    stop_after(parts, StopError())
    with pytest.raises(StopError):
        score(name, output=place, chunk_rows=30)
    assert not (tmp_path / place).exists()
    monkeypatch.undo()
    scored = score(name, output=place, chunk_rows=30)
    assert content(tmp_path / place) == content(tmp_path / "undisturbed" / place)
    assert (scored.rows, scored.chunks, scored.resumed_chunks) == (300, 10, parts)
    assert (f"{parts} chunks were finished by an earlier run; going on behind them" in notes) == (parts > 0)
    assert not list(tmp_path.glob(".*"))


def test_a_run_stopped_at_its_last_step_has_only_that_to_do(score, tmp_path, rows, monkeypatch):
    """All chunks are kept while they are joined."""
    rows.to_parquet(tmp_path / "in.parquet", index=False)

    def fail(*_):
        raise StopError

    monkeypatch.setattr(output, "join", fail)
    with pytest.raises(StopError):
        score("in.parquet")
    monkeypatch.undo()
    scored = score("in.parquet")
    assert (scored.chunks, scored.resumed_chunks, scored.rows) == (3, 3, 300)


CHANGES = {
    "other rows": (lambda folder, rows: rows.head(299).to_parquet(folder / "in.parquet"), {}, "inputs"),
    "other time": (lambda folder, _: os.utime(folder / "in.parquet", ns=(1, 1)), {}, "inputs"),
    "other version": (lambda *_: None, {"version": "8"}, "version"),
    "other model": (lambda *_: None, {"by": "other"}, "digest"),
    "other keys": (lambda *_: None, {"keys": ("id",)}, "keys"),
    "other chunks": (lambda *_: None, {"chunk_rows": 50}, "chunk_rows"),
    "other blanks": (lambda *_: None, {"missing": ("?",)}, "missing"),
}


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.replace(" ", "_"))
def test_what_was_scored_otherwise_is_not_taken_up(score, rows, tmp_path, case, stop_after, monkeypatch, notes):
    """It says so and starts anew."""
    change, settings, said = CHANGES[case]
    settings = {**settings, "by": exported_student(seed=1)} if settings.get("by") else settings
    rows.to_parquet(tmp_path / "in.parquet")
    stop_after(1, StopError())
    with pytest.raises(StopError):
        score("in.parquet")
    monkeypatch.undo()
    change(tmp_path, rows)
    scored = score("in.parquet", **settings)
    assert f"an unfinished run differs in {said}: starting anew" in notes
    assert scored.resumed_chunks == 0
    score("in.parquet", output="undisturbed.parquet", **settings)
    assert content(tmp_path / "out.parquet") == content(tmp_path / "undisturbed.parquet")


def test_other_threads_go_on_with_what_is_there(score, rows, tmp_path, stop_after, monkeypatch):
    """They decide nothing."""
    rows.to_parquet(tmp_path / "in.parquet")
    stop_after(1, StopError())
    with pytest.raises(StopError):
        score("in.parquet")
    monkeypatch.undo()
    assert score("in.parquet", threads=2).resumed_chunks == 1


@pytest.mark.parametrize("change", ["grown", "gone", "replaced", "cut short"])
def test_a_file_that_is_changed_while_it_is_scored(score, rows, tmp_path, change, monkeypatch):
    """The run stops, and nothing gets the final name."""
    path = tmp_path / "in.csv"
    rows.to_csv(path, index=False)

    def meddle(file, names, skip=0):
        for i, batch in enumerate(read(file, names, skip)):
            yield batch
            if i == 0 and len(names) > 3:  # not while types are told
                changes[change]()

    def replace():
        (tmp_path / "new.csv").write_bytes(path.read_bytes())
        (tmp_path / "new.csv").replace(path)

    def grow():
        with path.open("a") as file:
            file.write("1")

    changes = {
        "grown": grow,
        "gone": path.unlink,
        "replaced": replace,
        "cut short": lambda: os.truncate(path, 1000),
    }
    read = InputFile.batches
    monkeypatch.setattr(InputFile, "batches", meddle)
    with pytest.raises(DataError, match=r"in\.csv must not change while it is scored, .*run again when it is at rest"):
        score("in.csv")
    assert not (tmp_path / "out.parquet").exists()


def test_a_file_that_shrinks_under_the_reader_is_called_changed(rows, tmp_path):
    """Not broken."""
    rows.to_parquet(tmp_path / "in.parquet")
    file = InputFile(tmp_path / "in.parquet", ",")
    os.truncate(tmp_path / "in.parquet", 1000)
    with pytest.raises(DataError, match="must not change while it is scored"):
        list(file.batches(["age"]))


@pytest.mark.parametrize("place", OUTPUTS)
@pytest.mark.parametrize("parts", [0, 2])
def test_a_full_disk(score, rows, tmp_path, place, parts, stop_after, monkeypatch):
    """No half file is left, and with room the same command goes on."""
    rows.to_parquet(tmp_path / "in.parquet")
    stop_after(parts, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OutputError, match=rf"cannot be written: .*No space left on device; .*The {parts} finished"):
        score("in.parquet", output=place)
    assert not (tmp_path / place).exists()
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    kept = ["manifest.json", *(f"part-{i:05d}.parquet" for i in range(parts))] if parts else []
    assert sorted(left) == ["in.parquet", *kept]
    monkeypatch.undo()
    assert score("in.parquet", output=place).resumed_chunks == parts


def test_a_disk_that_is_full_at_the_last_step(score, rows, tmp_path, monkeypatch):
    """Joining needs as much room again."""
    rows.to_parquet(tmp_path / "in.parquet")

    class Full(output.pq.ParquetWriter):
        def write_table(self, table, **_):
            super().write_table(table)
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output.pq, "ParquetWriter", Full)  # that of parts is another name
    with pytest.raises(OutputError, match="No space left"):
        score("in.parquet")
    assert not [path for path in tmp_path.rglob("*") if "joined" in path.name]
    monkeypatch.undo()
    assert score("in.parquet").resumed_chunks == 3


@pytest.mark.parametrize("place", OUTPUTS)
def test_an_output_is_replaced_only_when_asked_and_at_the_end(score, rows, tmp_path, place, stop_after, monkeypatch):
    """Until then what stood there stands."""
    rows.to_parquet(tmp_path / "in.parquet")
    score("in.parquet", output=place)
    before = content(tmp_path / place)
    with pytest.raises(OutputError, match="must not exist yet; choose another `output`, or set `overwrite: true`"):
        score("in.parquet", output=place)
    stop_after(2, StopError())
    with pytest.raises(StopError):
        score("in.parquet", output=place, overwrite=True, version="8")
    assert content(tmp_path / place) == before
    monkeypatch.undo()
    score("in.parquet", output=place, overwrite=True, version="8")
    assert set(pd.read_parquet(tmp_path / place)["model_version"]) == {"8"}
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_cannot_be_replaced_is_put_back(score, rows, tmp_path, monkeypatch):
    """At once where the run can, else by the next."""
    rows.to_parquet(tmp_path / "in.parquet")
    score("in.parquet", output="out")
    before = content(tmp_path / "out")
    rename = Path.rename

    def fail(path, target):
        if path.name == "parts":
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    error = OSError(errno.EIO, "Input/output error")
    with pytest.raises(OutputError, match="Input/output error"):
        score("in.parquet", output="out", overwrite=True, version="8")
    assert content(tmp_path / "out") == before
    error = StopError()
    with pytest.raises(StopError):
        score("in.parquet", output="out", overwrite=True, version="8")
    assert not (tmp_path / "out").exists()
    with pytest.raises(StopError):
        score("in.parquet", output="out", overwrite=True, version="9")
    monkeypatch.undo()
    assert content(tmp_path / ".out.unfinished" / "replaced") == before
    monkeypatch.setattr(output.shutil, "rmtree", lambda _: fail(Path("parts"), None))
    with pytest.raises(StopError):  # replaced, and not yet cleared away
        score("in.parquet", output="out", overwrite=True, version="9")
    monkeypatch.undo()
    assert set(pd.read_parquet(tmp_path / "out")["model_version"]) == {"9"}
    score("in.parquet", output="out", overwrite=True, version="9")
    assert set(pd.read_parquet(tmp_path / "out")["model_version"]) == {"9"}


@pytest.mark.parametrize(("place", "message"), [("a.parquet", "must be a file"), ("a", "must be a folder")])
def test_only_scores_are_replaced_by_scores(score, rows, tmp_path, place, message):
    """A file by a file, and a folder only if it holds nothing else."""
    rows.to_parquet(tmp_path / "in.parquet")
    (tmp_path / "a").write_text("x")
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(OutputError, match=f"{message} to be replaced"):
        score("in.parquet", output=place, overwrite=True)
    score("in.parquet", output="b")
    (tmp_path / "b" / "thesis.doc").write_text("x")
    with pytest.raises(OutputError, match=r"must hold scores alone to be replaced, got thesis.doc"):
        score("in.parquet", output="b", overwrite=True)


def test_two_runs_do_not_write_one_output(score, rows, tmp_path, monkeypatch):
    """The second is refused while the first is at it."""
    rows.to_parquet(tmp_path / "in.parquet")
    write = output.pq.write_table
    refused = []

    def meanwhile(table, file, **settings):
        monkeypatch.undo()
        with pytest.raises(OutputError, match="must be written by one run at a time"):
            score("in.parquet", version="8")
        refused.append(1)
        write(table, file, **settings)

    monkeypatch.setattr(output.pq, "write_table", meanwhile)
    score("in.parquet")
    assert refused
    assert set(pd.read_parquet(tmp_path / "out.parquet")["model_version"]) == {"7"}


def test_one_file_does_not_tell_how_rows_were_chunked(rows, tmp_path):
    """Its groups of rows are its own; its bytes are the same."""
    table = pa.Table.from_pandas(rows[["id"]], preserve_index=False)
    for size in (100, 200):
        parts = [tmp_path / f"{size}-{i}.parquet" for i in range(-(-300 // size))]
        for i, part in enumerate(parts):
            output.pq.write_table(table.slice(i * size, size), part)
        output.join(parts, tmp_path / f"{size}.parquet")
    assert content(tmp_path / "100.parquet") == content(tmp_path / "200.parquet")


def test_a_folder_that_cannot_be_written(score, rows, tmp_path):
    """A file stands where the folder should be."""
    rows.to_parquet(tmp_path / "in.parquet")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"file/out\.parquet cannot be written: .*(Not a directory|File exists)"):
        score("in.parquet", output="file/out.parquet")
