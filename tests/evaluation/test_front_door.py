"""The package's public names."""

from __future__ import annotations

import inspect

from distillery import evaluation


def test_all_is_complete_and_sorted() -> None:
    """``__all__`` lists every public name once, constants first, then classes, then functions."""
    public = {n for n, v in vars(evaluation).items() if not n.startswith("_") and not inspect.ismodule(v)}
    assert public == set(evaluation.__all__)
    groups = [sorted(n for n in public if n.isupper())]
    groups.append(sorted(n for n in public if n[0].isupper() and not n.isupper()))
    groups.append(sorted(n for n in public if n[0].islower()))
    assert evaluation.__all__ == [n for group in groups for n in group]
