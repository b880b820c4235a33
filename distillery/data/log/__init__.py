"""Large logs: read in chunks, never whole."""

from distillery.data.log.bad_rows import BadRows as BadRows
from distillery.data.log.counting import NumberStats as NumberStats
from distillery.data.log.counting import ValueCounts as ValueCounts
from distillery.data.log.reader import LogReader as LogReader
from distillery.data.log.reading import LogFile as LogFile
from distillery.data.log.reading import ParquetLog as ParquetLog
from distillery.data.log.reading import TextLog as TextLog
from distillery.data.log.spec import LogFileSpec as LogFileSpec
from distillery.data.log.spec import LogSpec as LogSpec

__all__ = [
    "BadRows",
    "LogFile",
    "LogFileSpec",
    "LogReader",
    "LogSpec",
    "NumberStats",
    "ParquetLog",
    "TextLog",
    "ValueCounts",
]
