"""Reads the source into a table."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.logger import get_logger

from distillery.data import Table
from distillery.data.build import schema_table
from distillery.data.sources import SourceSpec
from distillery.evaluation import EvaluationSpec
from materializers import TableMaterializer
from steps._measured import measured

logger = get_logger(__name__)


# Never from cache: the file behind the source may have changed. The table's content hash lets the
# steps after it come from cache when it has not.
@step(enable_cache=False, output_materializers=TableMaterializer)
@measured
def ingest(source: SourceSpec, evaluation: EvaluationSpec, seed: int) -> Annotated[Table, "table"]:
    """Read the source, see its ``load``; stop where the table cannot be measured as asked."""
    table = source.load(seed)
    evaluation.check(table.schema)
    logger.info("%s\n%s", table.counts, schema_table(table.schema).to_string(index=False, max_rows=40))
    return table
