"""How every artifact of ours is saved: named files, and last a manifest that seals them.

An artifact without its manifest, or whose files differ from it, is refused: a half-written artifact is
never readable. Everything goes through the artifact store, never the local file system.
"""

from __future__ import annotations

import json
import os
import shutil
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from zenml.enums import VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer

from distillery.data.saved import MANIFEST, digest, seal
from distillery.errors import ArtifactError


class FilesMaterializer(BaseMaterializer):
    """Saves what `to_files` gives, and reads it back by `from_files`.

    Files whose names begin with one of ``LARGE`` are copied piece by piece, and handed over as paths.
    """

    SKIP_REGISTRATION: ClassVar[bool] = True
    LARGE: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def to_files(self, data: Any) -> Mapping[str, bytes | Path]:
        """Return an artifact as file name and content, or where the content lies."""

    @abstractmethod
    def from_files(self, files: Mapping[str, Any]) -> Any:
        """Return the artifact that `to_files` was given."""

    def pages(self, data: Any) -> Mapping[str, str]:
        """Return what the dashboard shows: file name (``.html``, ``.md``, ``.csv``) and content."""
        return {}

    def save(self, data: Any) -> None:
        """Write the files, then the manifest."""
        files = self.to_files(data)
        for name, content in files.items():
            self._write(name, content)
        self._write(MANIFEST, seal(files))

    def load(self, data_type: type[Any]) -> Any:
        """Read the files and check each against the manifest.

        Raises:
            ArtifactError: the manifest is absent, or a file is absent or differs from it.
        """
        path = os.path.join(self.uri, MANIFEST)
        if not self.artifact_store.exists(path):
            raise ArtifactError(f"the artifact at {self.uri} is incomplete: it has no {MANIFEST}; run the step again")
        files: dict[str, bytes | Path] = {}
        for name, sealed in json.loads(self._read(MANIFEST)).items():
            files[name] = self._checked(name, sealed)
        return self.from_files(files)

    def compute_content_hash(self, data: Any) -> str | None:
        """Hash the content, so that equal artifacts let the steps after them come from cache."""
        return digest(seal(self.to_files(data)))

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Write the pages beside the artifact."""
        kinds = {".html": VisualizationType.HTML, ".md": VisualizationType.MARKDOWN, ".csv": VisualizationType.CSV}
        shown = {}
        for name, page in self.pages(data).items():
            self._write(name, page.encode())
            shown[os.path.join(self.uri, name)] = kinds[os.path.splitext(name)[1]]
        return shown

    def _write(self, name: str, content: bytes | Path) -> None:
        with self.artifact_store.open(os.path.join(self.uri, name), "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file)

    def _read(self, name: str) -> bytes:
        with self.artifact_store.open(os.path.join(self.uri, name), "rb") as file:
            content: bytes = file.read()
        return content

    def _local(self, name: str) -> Path:
        """Return a large file's place on this machine; one that lies elsewhere is copied first."""
        path = Path(self.uri, name)
        if not path.exists():
            path = self._folder / name
            with self.artifact_store.open(os.path.join(self.uri, name), "rb") as source, path.open("wb") as file:
                shutil.copyfileobj(source, file)
        return path

    @cached_property
    def _folder(self) -> Path:
        """A folder that is there until the step ends."""
        with self.get_temporary_directory(delete_at_exit=False) as folder:
            return Path(folder)

    def _checked(self, name: str, sealed: str) -> bytes | Path:
        if not self.artifact_store.exists(os.path.join(self.uri, name)):
            raise ArtifactError(f"the artifact at {self.uri} is incomplete: {name} is missing; run the step again")
        content = self._local(name) if name.startswith(self.LARGE) else self._read(name)
        if digest(content) != sealed:
            raise ArtifactError(
                f"the artifact at {self.uri} was changed: {name} is not what was saved; run the step again"
            )
        return content
