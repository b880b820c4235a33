"""Several targets at once: the classes' probabilities, the losses, which rows train what, and the exported file."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from distillery.config import DistillConfig
from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.distillation.losses import marginal_logits, soft_cross_entropy
from distillery.errors import ConfigError, TrainingError
from distillery.export import measure_parity, to_onnx
from distillery.networks import Batches, FittedNetwork, Objective, Pupil
from distillery.networks.multi_task import Architecture, Joint, Mixture
from distillery.students import Lesson, MultiTaskSpec
from distillery.teachers import MultiTaskTeacherSpec
from tests.checks import make_table

ARCHITECTURES = get_args(Architecture)
SMALL: dict[str, Any] = {"widths": (6, 5), "tower": (4,), "bins": 4, "epochs": 3, "learning_rate": 2e-2}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@cache
def table_of(targets: int = 2, *, funnel: bool = True) -> Table:
    """Draw 300 rows with a number, a category, and targets that depend on both."""
    rng = np.random.default_rng(1)
    n = 300
    raw = pd.DataFrame({"age": rng.normal(size=n), "city": rng.choice(["Oslo", "Lima", "Rome"], n)})
    before = np.ones(n, dtype=bool)
    for t in range(targets):
        one = raw["age"] + (raw["city"] == "Oslo") + rng.normal(size=n) > 0
        raw[f"t{t}"] = (one & before if funnel else one).astype(int)
        before &= one
    names = [f"t{t}" for t in range(targets)]
    return build_table(raw, Roles(targets=names, funnel=funnel), SplitSpec(), seed=0)


def members_of(targets: int, *, funnel: bool) -> torch.Tensor:
    return torch.from_numpy(table_of(targets, funnel=funnel).schema.members)


def flags(members: torch.Tensor) -> tuple[tuple[bool, ...], ...]:
    return tuple(map(tuple, members.tolist()))


def batch_of(y: torch.Tensor, soft: torch.Tensor | None = None) -> Batches:
    """Rows of which an objective needs labels alone."""
    return Batches((torch.zeros(len(y), 1),), y, soft, torch.ones(len(y)), torch.ones(len(y)))


def lesson_of(table: Table) -> Lesson:
    train = table.rows("train")
    soft = np.log(0.1 + 0.7 * np.eye(table.schema.n_classes)[train.labels]).astype(np.float32)
    return Lesson(table.schema, train, table.rows("valid"), soft)


@pytest.mark.parametrize("targets", [2, 3])
def test_a_funnel_multiplies_its_stages(targets: int) -> None:
    """p(at least stage t) is the product of σ(u) up to it; the classes sum to 1."""
    members, u = members_of(targets, funnel=True), torch.randn(7, targets, dtype=torch.float64)
    proba = Joint(members, funnel=True).double()(u).exp()
    torch.testing.assert_close(proba.sum(1), torch.ones(7, dtype=torch.float64))
    torch.testing.assert_close(proba @ members.T.double(), u.sigmoid().cumprod(1))


@pytest.mark.parametrize("targets", [2, 3])
def test_free_targets_are_independent(targets: int) -> None:
    """A class has the product of σ(±u), and the marginals are σ(u)."""
    members, u = members_of(targets, funnel=False), torch.randn(7, targets, dtype=torch.float64)
    proba = Joint(members, funnel=False).double()(u).exp()
    p = u.sigmoid()[:, :, None]
    torch.testing.assert_close(proba, torch.where(members, p, 1 - p).prod(1))
    torch.testing.assert_close(proba @ members.T.double(), u.sigmoid())


def test_the_paper_of_esmm_s_loss() -> None:
    """Cross entropy of p(click) and of p(click) · p(conversion | click), each over all rows."""
    members, u = members_of(2, funnel=True), torch.randn(9, 2)
    y = torch.arange(9) % 3
    loss = Objective(alpha=0.0, members=flags(members))(Joint(members, funnel=True)(u), batch_of(y))
    click, both = u[:, 0].sigmoid(), u.sigmoid().prod(1)
    expected = functional.binary_cross_entropy(click, (y >= 1).float())
    expected += functional.binary_cross_entropy(both, (y == 2).float())
    torch.testing.assert_close(loss, expected)


def test_free_targets_have_the_loss_of_their_classes() -> None:
    """With hard labels the sum over targets is the classes' own log loss."""
    members, u = members_of(3, funnel=False), torch.randn(9, 3)
    z, batch = Joint(members, funnel=False)(u), batch_of(torch.arange(9) % 8)
    each = Objective(alpha=0.0, members=flags(members))(z, batch)
    torch.testing.assert_close(each, Objective(alpha=0.0)(z, batch))


def test_free_targets_learn_from_a_teacher_as_their_classes_do() -> None:
    """Whatever the teacher's classes, both losses have one gradient: they differ by what independence cannot say."""
    members, u, soft = members_of(2, funnel=False), torch.randn(9, 2, requires_grad=True), torch.randn(9, 4)
    gradients = []
    for own in (flags(members), None):
        loss = Objective(alpha=1.0, members=own)(Joint(members, funnel=False)(u), batch_of(torch.zeros(9).long(), soft))
        gradients.append(torch.autograd.grad(loss, u)[0])
    torch.testing.assert_close(*gradients)


def test_the_divergence_of_a_funnel_is_that_of_its_stages() -> None:
    """The second counts by how likely the teacher thinks the first."""
    members = members_of(2, funnel=True)
    u, v = torch.randn(9, 2), torch.randn(9, 2)
    joint = Joint(members, funnel=True)
    whole = soft_cross_entropy(joint(u), joint(v), temperature=1.0)
    pairs = [torch.stack([functional.logsigmoid(-x), functional.logsigmoid(x)], 2) for x in (u, v)]
    first, second = (soft_cross_entropy(pairs[0][:, t], pairs[1][:, t], temperature=1.0) for t in (0, 1))
    torch.testing.assert_close(whole, first + v[:, 0].sigmoid() * second)


def test_marginal_logits_are_the_classes_summed_up() -> None:
    """Whatever constant a row of logits has."""
    z, one = torch.randn(5, 4), torch.tensor([True, False, True, False])
    expected = z.softmax(1)[:, one].sum(1)
    torch.testing.assert_close(marginal_logits(z + 3, one).softmax(1)[:, 1], expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_reach_every_table_and_expert(architecture: Architecture) -> None:
    """One step moves every weight of the network but codes that no row uses."""
    table = table_of()
    spec = MultiTaskTeacherSpec(architecture=architecture, **SMALL)
    pupil = Pupil.of(spec, table.schema, table.rows("train"), table.rows("valid"))
    rows = pupil.train
    Objective(alpha=0.0, members=spec.members(table.schema))(pupil.network(*rows.inputs), rows).backward()
    for name, weight in pupil.network.named_parameters():
        assert weight.grad is not None, name
        reached = weight.grad.flatten(1).abs().sum(1) if weight.ndim > 1 else weight.grad.abs()
        if name == "encoder.table.weight":
            reached = reached[torch.bincount(rows.inputs[2].flatten(), minlength=len(reached)) > 0]
        assert (reached > 0).all(), name


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_which_rows_train_the_second_tower(architecture: Architecture) -> None:
    """Rows without a click teach it nothing, but by the loss of ESMM, which is taken over all rows."""
    spec = MultiTaskTeacherSpec(architecture=architecture, **SMALL)
    members = members_of(2, funnel=True)
    towers = spec.body(7, 2)
    loss = Objective(alpha=0.0, members=spec.members(table_of().schema))
    loss(Joint(members, funnel=True)(towers(torch.randn(20, 7))), batch_of(torch.zeros(20).long())).backward()
    last = towers[-2].weight.grad
    assert last[0].abs().sum() > 1e-3
    assert (last[1].abs().sum() > 1e-6) == (architecture == "esmm")


def test_gates_mix_the_experts() -> None:
    """Each target by its own shares, which sum to 1; a single expert has them all."""
    experts, n = torch.randn(5, 3, 4), 5
    scores = torch.randn(n, 2, 3)
    mixture = Mixture([], (3, 4), gates=2, targets=2)
    x = torch.cat([experts.flatten(1), scores.flatten(1)], 1)
    torch.testing.assert_close(mixture.shares(x).sum(2), torch.ones(n, 2))
    shares = scores.softmax(2)
    expected = torch.stack([(shares[:, t, :, None] * experts).sum(1) for t in (0, 1)], 1)
    torch.testing.assert_close(mixture(x), expected)
    alone = torch.randn(n, 4)
    assert torch.equal(Mixture([], (1, 4), gates=0, targets=2)(alone), alone[:, None].expand(-1, 2, -1))


@pytest.mark.parametrize(("targets", "funnel"), [(2, True), (3, True), (2, False)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_file_says_what_the_network_says(architecture: Architecture, targets: int, funnel: bool) -> None:
    """For every architecture, and for targets of both sorts."""
    if architecture == "esmm" and not funnel:
        return
    table = table_of(targets, funnel=funnel)
    spec = MultiTaskTeacherSpec(architecture=architecture, **SMALL)
    pupil = Pupil.of(spec, table.schema, table.rows("train"), table.rows("valid"))
    fitted = FittedNetwork(pupil.reading, pupil.network)
    assert measure_parity(fitted, to_onnx(fitted), table.rows("test").features).max_difference <= 1e-5


def test_a_funnel_s_probabilities_are_consistent() -> None:
    """p(both) = p(click) · σ(u₂), and so never above p(click), of a student distilled by the loss of ESMM."""
    table = table_of()
    spec = MultiTaskSpec(architecture="esmm", augment=None, **SMALL)
    student = spec.fit(lesson_of(table), seed=0)
    rows = table.rows("test").features
    network = student.fitted.network
    u = network.body[:-1](network.encoder(*student.fitted.reading.scaler(rows))).detach().sigmoid().numpy()
    click, both = table.schema.marginals(student.predict_proba(rows)).T
    np.testing.assert_allclose(click, u[:, 0], atol=1e-6)
    np.testing.assert_allclose(both, click * u[:, 1], atol=1e-6)
    assert (both <= click).all()
    assert student.history[-1]["valid_loss"] > student.history[-1]["valid_log_loss"]  # two losses, not that of classes


def test_the_kept_epoch_is_that_of_the_loss_it_is_trained_by() -> None:
    """A teacher by the loss of ESMM: the validation loss is the paper's."""
    table = table_of()
    spec = MultiTaskTeacherSpec(architecture="esmm", **SMALL)
    teacher = spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    valid = table.rows("valid")
    p = table.schema.marginals(teacher.predict_proba(valid.features))
    y = table.schema.members[:, valid.labels].T
    expected = -np.log(np.where(y, p, 1 - p)).mean(0).sum()
    assert min(epoch["valid_loss"] for epoch in teacher.history) == pytest.approx(expected, abs=1e-5)


def test_a_table_of_one_target_is_refused() -> None:
    """For teacher and student, with what to do."""
    table = make_table()
    message = "several `targets`, got one; name the targets, or choose another kind"
    with pytest.raises(TrainingError, match=message):
        MultiTaskTeacherSpec().fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    with pytest.raises(TrainingError, match=message):
        MultiTaskSpec(augment=None).fit(lesson_of(table), seed=0)


def test_esmm_needs_a_funnel() -> None:
    """Where any target can be 1 its product has no meaning."""
    with pytest.raises(TrainingError, match="esmm must have targets that are a funnel, got 't0', 't1'"):
        MultiTaskSpec(architecture="esmm", augment=None).fit(lesson_of(table_of(funnel=False)), seed=0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"teacher": {"kind": "multi_task"}}, "several `targets`, got one"),
        ({"students": [{"kind": "mlp"}, {"kind": "multi_task"}]}, "several `targets`, got one"),
        (
            {"teacher": {"kind": "ensemble", "members": [{"kind": "lightgbm"}, {"kind": "multi_task"}]}},
            "several `targets`, got one",
        ),
        ({"source": {"kind": "ctr_log"}, "teacher": {"kind": "multi_task"}}, "several `targets`, got one"),
        (
            {"source": {"kind": "avazu", "path": "x"}, "students": [{"kind": "multi_task"}]},
            "several `targets`, got one",
        ),
        (
            {
                "source": {"kind": "file", "path": "x.csv", "targets": ["a", "b"], "funnel": False},
                "students": [{"kind": "multi_task", "architecture": "esmm"}],
            },
            "esmm must have targets that are a funnel, got 'a', 'b'",
        ),
    ],
)
def test_a_config_says_so_before_anything_is_read(parameters: dict[str, Any], message: str) -> None:
    """A run is refused before its first step."""
    with pytest.raises(ConfigError, match=message):
        DistillConfig.parse(parameters)


def test_targets_of_two_values_have_no_decoupled_loss() -> None:
    """Where each has a loss of its own; a funnel's three classes have one."""
    with pytest.raises(TrainingError, match="dkd must have at least 3 classes, got targets of 2 each"):
        MultiTaskSpec(architecture="esmm", loss="dkd", augment=None).fit(lesson_of(table_of()), seed=0)
    assert MultiTaskSpec(loss="dkd", augment=None, **SMALL).fit(lesson_of(table_of()), seed=0).history
