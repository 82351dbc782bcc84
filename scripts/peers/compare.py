#!/usr/bin/env python3
"""Prints our figures over the peers': compare.py OURS.jsonl PEERS.jsonl, as scripts/bench --json and peers.py write them."""
import json
import sys

# Our figure, the peer's test, the aim.
PAIRS = [
    ("backtest_1m_candles", "sma", ">= 10 x vectorbt"),
    ("backtest_1m_rsi_stops", "rsi", "–"),
    ("sweep_100_pairs_1_thread", "sweep", ">= 10 x vectorbt"),
]


def rows(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines if line.startswith("{")]


def main():
    ours = {row["name"]: row["value"] for row in rows(sys.argv[1])}
    print(f"{'figure':<28} {'ours':>12} {'peer':<28} {'theirs':>12} {'ratio':>8}  aim")
    for figure, test, aim in PAIRS:
        for peer in rows(sys.argv[2]):
            if peer["test"] == test and figure in ours:
                theirs = peer["candle_runs_per_s"]
                ratio = ours[figure] / theirs
                aims = aim if peer["engine"].startswith("vectorbt") else "–"
                print(f"{figure:<28} {ours[figure]:>12.0f} {peer['engine']:<28} {theirs:>12.0f} {ratio:>8.1f}  {aims}")


if __name__ == "__main__":
    main()
