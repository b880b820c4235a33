"""How every artifact of ours is saved: named files, and last a manifest that seals them.

An artifact without its manifest, or whose files differ from it, is refused: a half-written artifact is
never readable. Everything goes through the artifact store, never the local file system.
"""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from zenml.enums import VisualizationType
from zenml.materializers.base_materializer import BaseMaterializer

from distillery.data.saved import MANIFEST, digest, seal
from distillery.errors import ArtifactError


class FilesMaterializer(BaseMaterializer):
    """Saves what `to_files` gives, and reads it back by `from_files`."""

    SKIP_REGISTRATION: ClassVar[bool] = True

    @abstractmethod
    def to_files(self, data: Any) -> Mapping[str, bytes]:
        """Return an artifact as file name and content."""

    @abstractmethod
    def from_files(self, files: Mapping[str, bytes]) -> Any:
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
        files = {}
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

    def _write(self, name: str, content: bytes) -> None:
        with self.artifact_store.open(os.path.join(self.uri, name), "wb") as file:
            file.write(content)

    def _read(self, name: str) -> bytes:
        with self.artifact_store.open(os.path.join(self.uri, name), "rb") as file:
            content: bytes = file.read()
        return content

    def _checked(self, name: str, sealed: str) -> bytes:
        if not self.artifact_store.exists(os.path.join(self.uri, name)):
            raise ArtifactError(f"the artifact at {self.uri} is incomplete: {name} is missing; run the step again")
        content = self._read(name)
        if digest(content) != sealed:
            raise ArtifactError(
                f"the artifact at {self.uri} was changed: {name} is not what was saved; run the step again"
            )
        return content
