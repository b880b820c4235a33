"""Files of any length scored by an exported model, a chunk at a time."""

from distillery.scoring.config import ScoreConfig as ScoreConfig
from distillery.scoring.output import OutputError as OutputError
from distillery.scoring.score import Scored as Scored
from distillery.scoring.score import score_files as score_files

__all__ = ["OutputError", "ScoreConfig", "Scored", "score_files"]
