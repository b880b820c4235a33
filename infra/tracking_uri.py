"""Prints the MLflow tracking URI of the active stack, for ``make ui``."""

from __future__ import annotations

from zenml.client import Client

if __name__ == "__main__":
    tracker = Client().active_stack.experiment_tracker
    assert tracker is not None, "run `make stack` first"
    print(tracker.get_tracking_uri())
