"""A run's parameters, checked before anything is started."""

from __future__ import annotations

from typing import Any, TypeVar

import click

from distillery.errors import InputError
from distillery.spec import Spec
from steps._tracking import require_mlflow

S = TypeVar("S", bound=Spec)


class RefusedRunError(click.ClickException, InputError):
    """A run that cannot start; the command line prints the message without a traceback."""


def checked(config: type[S], parameters: dict[str, Any]) -> S:
    """Read a run's config, and check that the active stack can do what it asks for.

    Raises:
        RefusedRunError: the config or the stack is wrong; nothing has run.
    """
    try:
        parsed = config.parse(parameters)
        require_mlflow()
    except InputError as error:
        raise RefusedRunError(str(error)) from error
    return parsed
