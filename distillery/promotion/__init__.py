"""Gates and the verdict."""

from distillery.promotion.gates import GateResult as GateResult
from distillery.promotion.gates import GatesSpec as GatesSpec
from distillery.promotion.verdict import Judgement as Judgement
from distillery.promotion.verdict import StagedModel as StagedModel
from distillery.promotion.verdict import Verdict as Verdict
from distillery.promotion.verdict import judge as judge

__all__ = ["GateResult", "GatesSpec", "Judgement", "StagedModel", "Verdict", "judge"]
