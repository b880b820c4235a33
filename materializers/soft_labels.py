"""Soft labels as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from distillery.distillation import SoftLabels
from distillery.distillation.soft_labels import STREAMED
from materializers.files import FilesMaterializer


class SoftLabelsMaterializer(FilesMaterializer):
    """Soft labels as ``soft_labels.safetensors``."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (SoftLabels,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    LARGE: ClassVar[tuple[str, ...]] = (STREAMED,)

    def to_files(self, data: SoftLabels) -> Mapping[str, bytes | Path]:
        return data.to_files()

    def from_files(self, files: Mapping[str, bytes | Path]) -> SoftLabels:
        return SoftLabels.from_files(files)

    def pages(self, data: SoftLabels) -> Mapping[str, str]:
        mean = {name: data.proba(name).mean(axis=0).round(4).tolist() for name in data.logits}
        lines = [f"- {name}: {rows:,} rows, mean probabilities {mean[name]}" for name, rows in data.rows.items()]
        if data.streamed is not None:
            lines.append(f"\nThe mean of train is that of {len(data.logits['train']):,} rows, drawn evenly.")
        return {"soft_labels.md": f"Training rows labelled **{data.method}**.\n\n" + "\n".join(lines) + "\n"}

    def extract_metadata(self, data: SoftLabels) -> dict[str, MetadataType]:
        return {"method": data.method, "folds": int(data.fold.max()) + 1, "rows": data.rows["train"]}
