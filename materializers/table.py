"""Tables as Parquet beside their schema."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from distillery.data import Table
from distillery.data.build import schema_table
from distillery.data.parts import PART
from materializers.files import FilesMaterializer


class TableMaterializer(FilesMaterializer):
    """A table as ``schema.json`` and ``table.parquet``, and the parts of one that is larger than memory."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Table,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    LARGE: ClassVar[tuple[str, ...]] = (PART,)

    def to_files(self, data: Table) -> Mapping[str, bytes | Path]:
        return data.to_files()

    def from_files(self, files: Mapping[str, bytes | Path]) -> Table:
        return Table.from_files(files)

    def pages(self, data: Table) -> Mapping[str, str]:
        title = html.escape(f"target {data.schema.target}: {', '.join(map(str, data.schema.classes))}")
        return {"schema.html": f"<h3>{title}</h3>{schema_table(data.schema).to_html(index=False)}"}

    def extract_metadata(self, data: Table) -> dict[str, MetadataType]:
        rows: dict[str, MetadataType] = {f"rows_{name}": n for name, n in data.counts.items()}
        return {**rows, "digest": data.digest, "schema_digest": data.schema.digest, "columns": len(data.schema.columns)}
