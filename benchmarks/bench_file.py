"""Distils one table over several seeds and prints what was kept, as ratios to the teacher.

python benchmarks/bench_file.py TABLE --target late --drop row_id --split split --seeds 3
"""

from __future__ import annotations

import argparse
import statistics

from distillery.config import DistillConfig
from distillery.evaluation import Scorecard, Scorecards
from distillery.library import measure


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--target", required=True)
    parser.add_argument("--drop", nargs="*", default=[])
    parser.add_argument("--missing", nargs="*", default=[])
    parser.add_argument("--group")
    parser.add_argument("--split", help="a column that holds the split")
    parser.add_argument("--seeds", type=int, default=3)
    return parser.parse_args()


def distil(config: DistillConfig) -> Scorecards:
    """Do in memory what the pipeline does in steps."""
    table = config.source.load(config.seed)
    _, cards = measure(table, config, progress=lambda line: print(f"seed {config.seed}: {line}", flush=True))
    return cards


def row(label: str, cards: list[Scorecard]) -> str:
    """Write medians over the seeds, the spread of the ROC AUC beside them."""

    def median(values: list[float | None]) -> float:
        return statistics.median(v for v in values if v is not None)

    auc = [card.quality.metrics["auc_roc"].value or 0.0 for card in cards]
    loss = median([card.quality.metrics["log_loss"].value for card in cards])
    kept = [100 * card.retention["auc_roc"].value for card in cards if card.retention]
    sizes = [(card.cost.params, card.cost.bytes) for card in cards if card.cost]
    retained = f"{statistics.median(kept):7.2f} %" if kept else "        –"
    return (
        f"{label:30s} {statistics.median(auc):.4f} ± {(max(auc) - min(auc)) / 2:.4f} {retained}  {loss:.4f}"
        f" {median([s[0] for s in sizes]):12,.0f} {median([s[1] for s in sizes]):12,.0f}"
    )


def main() -> None:
    """Distil and print."""
    given = arguments()
    source = {
        "kind": "file",
        "path": given.table,
        "target": given.target,
        "drop": given.drop,
        "missing": given.missing,
        "group": given.group,
        "split": {"column": given.split},
    }
    runs = [distil(DistillConfig.parse({"source": source, "seed": seed})) for seed in range(given.seeds)]
    print(f"{'model':30s} ROC AUC ± half spread  retained  log loss   parameters        bytes")
    for i, card in enumerate(runs[0].cards):
        print(row(card.label, [cards.cards[i] for cards in runs]))


if __name__ == "__main__":
    main()
