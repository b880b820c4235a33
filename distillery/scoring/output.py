"""An output that is there whole or not at all, and grows a part at a time in a hidden folder beside it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, final

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from distillery.errors import InputError, shortlist
from distillery.scoring.inputs import FileStamp, cut

PART, POSITION = "part-{:05d}.parquet", b"distillery.position"
GROUP_ROWS = 131_072


class OutputError(InputError):
    """The output cannot be written where it should be."""


class Manifest(BaseModel):
    """What decides an output: a run goes on only where one with the same manifest stopped.

    Attributes:
        model, version: in the registry.
        digest: SHA-256 of the model's file.
        inputs: the files, in their order.
        keys, chunk_rows, missing, separator: as the config has them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    version: str
    digest: str
    inputs: tuple[FileStamp, ...]
    keys: tuple[str, ...]
    chunk_rows: int
    missing: tuple[str, ...]
    separator: str

    def changed_since(self, other: Manifest) -> list[str]:
        """Return the names of what differs."""
        return [name for name in Manifest.model_fields if getattr(self, name) != getattr(other, name)]


class Position(BaseModel):
    """How far the parts reach.

    Attributes:
        file: the place of an input file among all.
        row: rows of this file that are done; those of the files before it are.
        rows: how many that are in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: int = 0
    row: int = 0
    rows: int = 0


@final
class Unfinished:
    """The finished parts of an output that is not complete yet.

    A part has its name once it is whole and on the disk. They lie in ``.<output>.unfinished``, which one
    run at a time may use.

    Attributes:
        output: the final name.
        parts: so many are finished.
        position: how far they reach.

    Raises:
        OutputError: the output cannot be written, or another run is at it.
    """

    def __init__(self, output: Path, *, overwrite: bool) -> None:
        self.output, self._overwrite = output.absolute(), overwrite
        self.parts, self.position = 0, Position()
        self._folder = self.output.with_name(f".{self.output.name}.unfinished")
        self._parts = self._folder / "parts"
        self._aside = self._folder / "replaced"

    @contextmanager
    def opened(self, manifest: Manifest, progress: Callable[[str], None]) -> Iterator[None]:
        """Take up the parts that a run with the same manifest has left; drop those of another."""
        self._refuse_occupied()
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            with self._writing():
                self._take_up(manifest, progress)
            try:
                yield
            finally:
                if not self.parts and self._folder.exists():  # nothing to go on from
                    shutil.rmtree(self._folder)

    def add(self, table: pa.Table, position: Position) -> None:
        """Write the next part, that reaches to a position.

        Raises:
            OutputError: the disk is full, say; no half part is left.
        """
        place = {POSITION: position.model_dump_json().encode()}
        with self._writing(), whole(self._part(self.parts)) as file:
            pq.write_table(table.replace_schema_metadata(place), file)
        self.parts, self.position = self.parts + 1, position

    def publish(self) -> None:
        """Give the output its name, now that all parts are finished.

        One file is made of them where the name ends in ``.parquet``. A file takes another's place in one
        step; a folder that is replaced is first moved aside, and back if that fails.

        Raises:
            OutputError: the output cannot be written; the parts are kept.
        """
        self._refuse_occupied()
        with self._writing():
            if is_file(self.output):
                joined = self._folder / "joined.parquet"
                join([self._part(i) for i in range(self.parts)], joined)
                joined.replace(self.output)
            else:
                self._publish_folder()
            sync(self.output.parent)
        shutil.rmtree(self._folder)

    def _publish_folder(self) -> None:
        if self.output.exists():
            self.output.rename(self._aside)
        try:
            self._parts.rename(self.output)
        except OSError:
            self._settle()
            raise

    def _settle(self) -> None:
        """End a replacement that was stopped half-way: what was moved aside comes back, or has been replaced."""
        if self._aside.exists():
            if self.output.exists():
                shutil.rmtree(self._aside)
            else:
                self._aside.rename(self.output)

    def _part(self, number: int) -> Path:
        return self._parts / PART.format(number)

    def _take_up(self, manifest: Manifest, progress: Callable[[str], None]) -> None:
        self._settle()
        self._refuse_occupied()
        kept = read_manifest(self._folder / "manifest.json")
        if kept != manifest:
            if kept is not None:
                progress(f"an unfinished run differs in {shortlist(manifest.changed_since(kept))}: starting anew")
            if self._parts.exists():
                shutil.rmtree(self._parts)
            with whole(self._folder / "manifest.json") as file:
                file.write(manifest.model_dump_json(indent=1).encode())
        self._parts.mkdir(exist_ok=True)
        while self._part(self.parts).exists():
            self.parts += 1
        if self.parts:
            metadata = pq.read_schema(self._part(self.parts - 1)).metadata
            self.position = Position.model_validate_json(metadata[POSITION])
            progress(f"{self.parts} chunks were finished by an earlier run; going on behind them")

    def _refuse_occupied(self) -> None:
        if not self.output.exists():
            return
        if not self._overwrite:
            raise OutputError(f"{self.output} must not exist yet; choose another `output`, or set `overwrite: true`")
        if is_file(self.output) != self.output.is_file():
            raise OutputError(
                f"{self.output} must be {'a file' if is_file(self.output) else 'a folder'} to be replaced,"
                " and it is not; choose another `output`"
            )
        inside = () if self.output.is_file() else self.output.iterdir()
        foreign = sorted(path.name for path in inside if not path.match("part-*.parquet"))
        if foreign:
            raise OutputError(
                f"{self.output} must hold scores alone to be replaced, got {shortlist(foreign)};"
                " choose another `output`"
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others out until the run ends, however it ends."""
        with folder_handle(self._folder) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(
                    f"{self.output} must be written by one run at a time, and another is at it; wait for it,"
                    " or choose another `output`"
                ) from error
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{self.output} cannot be written: {error}; nothing new stands under that name. The {self.parts}"
                " finished chunks are kept: mend the cause (make room, say) and run the same command again"
            ) from error


def is_file(output: Path) -> bool:
    """Whether an output of this name is one file, or a folder of parts."""
    return output.suffix == ".parquet"


def read_manifest(path: Path) -> Manifest | None:
    """Read what an unfinished run was about; None where there is none, or one of another form."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def join(parts: list[Path], path: Path) -> None:
    """Write the rows of all parts into one file; its bytes do not depend on how rows were parted."""
    schema = pq.read_schema(parts[0]).remove_metadata()
    batches = (batch.replace_schema_metadata() for part in parts for batch in pq.ParquetFile(part).iter_batches())
    with whole(path) as file, pq.ParquetWriter(file, schema) as writer:
        for table in cut(batches, GROUP_ROWS):
            writer.write_table(table)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name when all of it is on the disk; a half one is removed."""
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    with folder_handle(folder) as handle:
        os.fsync(handle)


@contextmanager
def folder_handle(folder: Path) -> Iterator[int]:
    """Open a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)
