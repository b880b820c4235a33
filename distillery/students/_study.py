"""The finished trials of a search, kept by Optuna."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial
from pydantic import JsonValue
from sqlalchemy.engine import make_url

from distillery.errors import TrainingError
from distillery.students.search import SearchSpec, Trial

DRAWS = 20  # from TPE, until one is new
REFUSED = "refused"


@final
class Study:
    """One search in its storage; values are kept as JSON, since Optuna's choices are plain values.

    Attributes:
        points: what can be tried, as `SearchSpec.key` writes it.
    """

    def __init__(self, search: SearchSpec, name: str, points: Sequence[str], *, seed: int) -> None:
        self.points, self._search, self._seed = points, search, seed
        settings = [json.loads(point) for point in points]
        self._choices: dict[str, Any] = {
            name: CategoricalDistribution(list(dict.fromkeys(json.dumps(one[name]) for one in settings)))
            for name in search.over
        }
        with self._usable():
            self._study = _quiet_study(study_name=name, storage=_opened(search.storage), load_if_exists=True)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Turn a storage that does not answer into one clear error."""
        try:
            yield
        except Exception as error:  # whatever a foreign database raises
            raise TrainingError(
                f"search.storage must be a database that Optuna can use, got {self._search.storage!r}:"
                f" {' '.join(str(error).split())[:300]}; what was finished before is kept"
            ) from error

    def finished(self) -> list[Trial]:
        """Return what was tried, in order; a point that two runs tried at once counts once."""
        with self._usable():
            stored = self._study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
        found: dict[str, Trial] = {}
        for one in stored:
            params, refused = self._read(one.params), one.user_attrs.get(REFUSED, "")
            trial = Trial(number=len(found), params=params, valid_log_loss=one.value, refused=refused)
            found.setdefault(trial.key, trial)
        return list(found.values())

    def add(self, trial: Trial) -> None:
        """Keep a finished trial."""
        with self._usable():
            self._study.add_trial(self._frozen(trial))

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """Return a trial as Optuna keeps it; a refused one is pruned."""
        refused = trial.valid_log_loss is None
        return create_trial(
            state=TrialState.PRUNED if refused else TrialState.COMPLETE,
            value=trial.valid_log_loss,
            params={name: json.dumps(value) for name, value in trial.params.items()},
            distributions=self._choices,
            user_attrs={REFUSED: trial.refused} if refused else {},
        )

    def _read(self, params: dict[str, Any]) -> dict[str, JsonValue]:
        return {name: json.loads(params[name]) for name in self._search.over}

    def propose(self, trials: Sequence[Trial]) -> str:
        """Return a point that was not tried: the next one where the budget covers all, else one of TPE's.

        What is proposed is decided by the seed and the finished trials alone, so that an interrupted
        search goes on as if nothing had happened.
        """
        tried = {trial.key for trial in trials}
        untried = [point for point in self.points if point not in tried]
        if self._search.budget >= len(self.points):
            return untried[0]
        seed = self._seed + len(trials)
        sampled = _quiet_study(sampler=TPESampler(seed=seed))
        sampled.add_trials([self._frozen(trial) for trial in trials])
        for _ in range(DRAWS):
            point = json.dumps(self._read(sampled.ask(self._choices).params))
            if point in untried:
                return point
        return random.Random(seed).choice(untried)


def _opened(storage: str) -> str:
    """Fill in the environment, and make the folder of a local file."""
    url = os.path.expandvars(storage)
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite" and parts.database:
        Path(parts.database).parent.mkdir(parents=True, exist_ok=True)
    return url


def _quiet_study(**arguments: Any) -> optuna.Study:
    """Open a study without Optuna's line about it."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(**arguments)
    finally:
        optuna.logging.set_verbosity(before)
