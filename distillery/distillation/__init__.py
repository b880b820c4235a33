"""What turns a teacher's opinion into a student's lesson: soft labels and losses."""

from distillery.distillation.soft_labels import SoftLabels as SoftLabels
from distillery.distillation.soft_labels import SoftLabelsSpec as SoftLabelsSpec
from distillery.distillation.soft_labels import generate_soft_labels as generate_soft_labels

__all__ = ["SoftLabels", "SoftLabelsSpec", "generate_soft_labels"]
