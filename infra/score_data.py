"""Writes the default scenario's test rows into ``data/flights.parquet``, for ``configs/score_flights.yaml``."""

from __future__ import annotations

from pathlib import Path

from distillery.config import DistillConfig
from distillery.data.table import SPLIT_COLUMN

PATH = Path("data/flights.parquet")

if __name__ == "__main__":
    config = DistillConfig()
    flights = config.source.load(config.seed).split("test").drop(columns=SPLIT_COLUMN)
    flights.insert(0, "flight", flights.index)
    PATH.parent.mkdir(exist_ok=True)
    flights.to_parquet(PATH, index=False)
    print(f"{len(flights):,} flights → {PATH}")
