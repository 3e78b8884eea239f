"""Trains the default model on UCI's Default of Credit Card Clients and writes everything in this folder but the card.

    train.py TABLE.csv

UCI publishes the table as data set 350, doi:10.24432/C55S3H, in a spreadsheet; save that as CSV, with or without its
first line of X1, X2, …. No row of the table is written here: the clients below are invented.
"""

import csv
import hashlib
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import common  # noqa: E402  (before NumPy: it pins the numeric kernels)

import numpy as np  # noqa: E402

# September to April 2005, as the table numbers the months.
STATUS = ["PAY_0", *(f"PAY_{month}" for month in range(2, 7))]
BILLS = [f"BILL_AMT{month}" for month in range(1, 7)]
PAID = [f"PAY_AMT{month}" for month in range(1, 7)]
# Not among them: sex, age, marital status, education (see MODEL_CARD.md).
NAMES = ["LIMIT_BAL", *STATUS, *BILLS, *PAID]
AUDITED = ["SEX", "AGE"]
TARGET = "default payment next month"
CLASSES = ["pays", "defaults"]
# Of the columns that are read, target last, as whole numbers with commas between them and a line for each row.
TABLE_SHA256 = "604d02bb953ca3c97698794447526689a316649c8a71d8d3b4c62745662f77c6"

# A higher limit or payment never raises the probability of a default, a longer delay never lowers it. Bills are free.
MONOTONE = {"LIMIT_BAL": -1} | dict.fromkeys(STATUS, 1) | dict.fromkeys(BILLS, 0) | dict.fromkeys(PAID, -1)

# Invented: the limit, then repayment status, bills and payments of six months, the latest first.
CLIENTS = {
    "pays": (
        260_000,
        [-1] * 6,
        [8_410, 12_075, 6_230, 9_985, 7_770, 11_340],
        [12_075, 6_230, 9_985, 7_770, 11_340, 5_505],
    ),
    "defaults": (
        30_000,
        [3, 2, 2, 2, 0, 0],
        [29_640, 30_115, 28_905, 28_330, 27_745, 26_480],
        [0, 1_900, 0, 1_200, 1_900, 1_700],
    ),
    "borderline": (
        200_000,
        [2, 0, 0, 0, 0, 0],
        [47_210, 46_095, 44_980, 43_310, 41_875, 40_330],
        [0, 2_050, 2_100, 1_900, 1_950, 1_800],
    ),
    "no purchases": (
        180_000,
        [-2] * 6,
        [0, 0, 0, 0, 0, 325],
        [0, 0, 0, 0, 325, 0],
    ),
    "revolving": (
        120_000,
        [0] * 6,
        [81_400, 79_250, 77_900, 74_320, 71_155, 69_005],
        [4_000, 3_800, 4_200, 3_500, 3_300, 3_100],
    ),
    "large limit": (
        700_000,
        [-1] * 6,
        [152_000, 98_400, 131_250, 88_600, 120_700, 143_900],
        [98_400, 131_250, 88_600, 120_700, 143_900, 75_000],
    ),
    "overpaid": (
        90_000,
        [-1, -1, -2, -2, -1, -1],
        [-2_350, 415, -180, -180, 3_260, 940],
        [3_000, 600, 0, 180, 3_440, 2_320],
    ),
    "one month late": (
        70_000,
        [1, 0, 0, 0, 0, 0],
        [52_330, 51_870, 50_240, 22_115, 21_640, 20_905],
        [0, 2_300, 1_500, 900, 1_000, 800],
    ),
    "late once, long ago": (
        150_000,
        [0, 0, 0, 0, 0, 2],
        [34_205, 36_710, 38_060, 41_335, 43_820, 42_190],
        [2_500, 2_700, 2_400, 3_100, 4_000, 0],
    ),
    "always late": (
        20_000,
        [2] * 6,
        [19_735, 19_180, 19_420, 18_265, 18_610, 17_390],
        [0, 1_100, 0, 900, 0, 1_500],
    ),
    "eight months late": (
        10_000,
        [8, 7, 6, 5, 4, 3],
        [11_380, 11_130, 10_880, 10_630, 10_380, 10_130],
        [0] * 6,
    ),
    "over the limit": (
        40_000,
        [2, 2, 0, 0, -1, 0],
        [46_905, 44_020, 42_675, 30_390, 9_215, 18_840],
        [0, 3_000, 14_000, 23_000, 9_215, 1_000],
    ),
}


def read_table(path):
    """Inputs and labels of all rows, and the columns that only the audit reads."""
    lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    if "LIMIT_BAL" not in lines[0]:
        lines = lines[1:]
    rows = [{key.replace(".", " "): value for key, value in row.items()} for row in csv.DictReader(lines)]
    table = {name: [int(float(row[name])) for row in rows] for name in [*NAMES, *AUDITED, TARGET]}
    digest = hashlib.sha256()
    for row in zip(*table.values()):
        digest.update((",".join(map(str, row)) + "\n").encode())
    if digest.hexdigest() != TABLE_SHA256:
        raise SystemExit(f"{path} is not the table that this script was written for: {digest.hexdigest()}")
    inputs = np.array([table[name] for name in NAMES], dtype=np.float32).T
    return inputs, np.array(table[TARGET]), {name: np.array(table[name]) for name in AUDITED}


def write_expected(path, predicted, probabilities):
    """Two bytes for each row, the low one first: the label in the highest bit, below it the probability of class 1 in steps
    of 1/32767."""
    steps = np.rint(probabilities[:, 1].astype(np.float64) * 32767).astype(np.uint16)
    path.write_bytes((predicted.astype(np.uint16) << 15 | steps).astype("<u2").tobytes())


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    inputs, labels, audited = read_table(sys.argv[1])
    clients = {
        name: np.array([limit, *status, *bills, *paid], np.float32)
        for name, (limit, status, bills, paid) in CLIENTS.items()
    }
    table = {row.tobytes() for row in inputs}
    if any(client.tobytes() in table for client in clients.values()):
        raise SystemExit("an invented client is a row of the table")

    common.write_json(
        FOLDER / "codebook.json", {"columns": [{"name": name, "kind": "number"} for name in NAMES], "classes": CLASSES}
    )
    train, test = common.split(labels)
    model = common.boosted_trees(
        4,
        n_estimators=300,
        learning_rate=0.03,
        min_child_samples=50,
        reg_lambda=10.0,
        colsample_bytree=0.5,
        max_bin=63,
        monotone_constraints=[MONOTONE[name] for name in NAMES],
    )
    outputs, metrics = common.build(
        FOLDER, {"gbdt": model}, inputs, labels, train, test, "Class 1: defaults next month. See MODEL_CARD.md."
    )
    predicted, probabilities = outputs["gbdt"]
    pays, good = predicted[test] == 0, labels[test] == 0
    sex, age = audited["SEX"][test], audited["AGE"][test]
    metrics["gbdt"]["test_by_age"] = common.approvals(pays, good, {"25 and younger": age <= 25, "over 25": age > 25})
    metrics["gbdt"]["test_by_sex"] = common.approvals(pays, good, {"men": sex == 1, "women": sex == 2})
    common.write_json(FOLDER / "metrics.json", metrics)
    write_expected(FOLDER / "expected.bin", predicted, probabilities)

    common.write_input(FOLDER / "calibration.json", clients.values())
    for name in ("pays", "defaults", "borderline"):
        common.write_input(FOLDER / "clients" / f"{name}.json", [clients[name]])
    _, scores = common.run(FOLDER / "gbdt.onnx", np.array(list(clients.values())))
    for name, score in zip(clients, scores[:, 1]):
        print(f"{name}: {score:.4f}")


if __name__ == "__main__":
    main()
