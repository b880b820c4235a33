"""Registers and activates the local ZenML stack; running it again changes nothing.

Orchestrator and artifact store are those of ZenML's default stack. The MLflow tracker names no
server, so that runs and registry live in a SQLite file inside the artifact store. The stack is made
active for this folder only.
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from zenml.client import Client
from zenml.enums import StackComponentType

STACK = "distillery"
ROOT = Path(__file__).resolve().parents[1]


def register(root: Path) -> None:
    """Register what is missing, then activate the stack in the repository at this folder."""
    if not (root / ".zen").exists():
        Client.initialize(root)
    client = Client(root)
    parts: dict[StackComponentType, UUID | str] = {
        StackComponentType.ORCHESTRATOR: "default",
        StackComponentType.ARTIFACT_STORE: "default",
    }
    for kind in (StackComponentType.EXPERIMENT_TRACKER, StackComponentType.MODEL_REGISTRY):
        name = f"{STACK}_{kind.value}"
        if not client.list_stack_components(type=kind, name=name).items:
            client.create_stack_component(name=name, flavor="mlflow", component_type=kind, configuration={})
            print(f"registered {kind.value} {name}")
        parts[kind] = name
    if not client.list_stacks(name=STACK).items:
        client.create_stack(name=STACK, components=parts)
        print(f"registered stack {STACK}")
    if client.active_stack_model.name != STACK:
        client.activate_stack(STACK)
        print(f"activated stack {STACK} for {root}")


if __name__ == "__main__":
    register(ROOT)
