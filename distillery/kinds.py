"""A family's table of kinds: own classes by their `kind`, third parties' by entry point or import path."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar, final

from pydantic import BaseModel

from distillery.errors import did_you_mean
from distillery.spec import Spec

S = TypeVar("S", bound=Spec)


@final
class Kinds(Generic[S]):
    """Which class reads a config, told by its ``kind``.

    Attributes:
        family: what the kinds are, for messages: ``teacher``.
        base: what every kind inherits from.
        own: the classes that come with Distillery, by kind.
        group: the entry point group where installed packages offer further kinds.
    """

    def __init__(self, family: str, base: type[S], *own: type[S], group: str) -> None:
        self.family, self.base, self.group = family, base, group
        self.own = {str(kind.model_fields["kind"].default): kind for kind in own}

    def plus(self, *own: type[S]) -> Kinds[S]:
        """Return a table with further kinds."""
        return Kinds(self.family, self.base, *self.own.values(), *own, group=self.group)

    def read(self, data: Any) -> S:
        """Read a config; one that was read already is kept.

        Raises:
            ValueError: the kind is absent or unknown, or cannot be imported.
        """
        if isinstance(data, self.base):
            return data
        if isinstance(data, BaseModel):
            raise ValueError(f"{self.family} must be a {self.base.__name__}, got a {type(data).__name__}")
        if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
            raise ValueError(f"a {self.family} must have a `kind`, one of {', '.join(self.own)}; got {data!r}")
        return self.find(data["kind"]).model_validate(data)

    def read_json(self, content: bytes) -> S:
        """Read a config from JSON."""
        return self.read(_Json.model_validate_json(content).model_dump())

    def find(self, kind: str) -> type[S]:
        """Return the class of a kind.

        Raises:
            ValueError: it is unknown, or cannot be imported, or is no class of this family.
        """
        if kind in self.own:
            return self.own[kind]
        installed = {entry.name: entry.value for entry in entry_points(group=self.group)}
        path = installed.get(kind, kind)
        if ":" not in path:
            raise ValueError(
                f"{self.family} kind must be one of {', '.join([*self.own, *installed])}, or a class's import path"
                f" (package.module:Class), got {kind!r}{did_you_mean(kind, [*self.own, *installed])}"
            )
        return self._import(path)

    def _import(self, path: str) -> type[S]:
        module, _, name = path.partition(":")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{self.family} kind {path!r} must be importable, got: {error}") from error
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise ValueError(f"{self.family} kind {path!r} must be a subclass of {self.base.__qualname__}")
        return found


class _Json(BaseModel, extra="allow"):
    kind: str
