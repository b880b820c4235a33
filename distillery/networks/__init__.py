"""Networks on raw columns, shared by teachers and students: encoding, body, training."""

from distillery.networks.fields import FieldVectors as FieldVectors
from distillery.networks.fitted import FittedNetwork as FittedNetwork
from distillery.networks.fitted import NetworkFields as NetworkFields
from distillery.networks.fitted import Pupil as Pupil
from distillery.networks.selection import GatePath as GatePath
from distillery.networks.settings import SoftFields as SoftFields
from distillery.networks.training import HARD_LABELS as HARD_LABELS
from distillery.networks.training import Batches as Batches
from distillery.networks.training import Objective as Objective
from distillery.networks.training import OnEpoch as OnEpoch

__all__ = [
    "HARD_LABELS",
    "Batches",
    "FieldVectors",
    "FittedNetwork",
    "GatePath",
    "NetworkFields",
    "Objective",
    "OnEpoch",
    "Pupil",
    "SoftFields",
]
