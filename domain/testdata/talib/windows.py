"""Writes windows.csv.gz: what TA-Lib 0.8.2 says of short windows over series that lose digits.

    pip install TA-Lib==0.8.2 && python windows.py

spikes: a price with two moments far above it; constants: standstills after other prices; tiny and large: a price at
1e-8 and one that moves by cents at 1e9.
"""

import csv
import gzip
import io
import random

import numpy
import talib

LEN = 150
PERIODS = (2, 3, 5, 20, 50)


def series():
    draw = random.Random(7)
    walk, price = [], 100.0
    for _ in range(LEN):
        price = round(price + draw.gauss(0, 1), 2)
        walk.append(price)
    spikes = list(walk)
    spikes[30], spikes[60], spikes[61] = 1e6, 1e9, 0.01
    constants = [285.18, 11.42] + [44.1] * 58 + [0.1] * 40 + walk[100:110] + [0.01] * 40
    yield "spikes", spikes
    yield "constants", constants
    yield "tiny", [round(value * 1e-10, 14) for value in walk]
    yield "large", [1e9 + value for value in walk]


rows = io.StringIO()
writer = csv.writer(rows, lineterminator="\n")
writer.writerow(["series", "value", *(f"{name}_{n}" for n in PERIODS for name in ("sma", "stddev", "upper", "lower"))])
for name, values in series():
    column = numpy.array(values)
    outputs = []
    for n in PERIODS:
        upper, middle, lower = talib.BBANDS(column, n, 2, 2)
        outputs += [talib.SMA(column, n), talib.STDDEV(column, n), upper, lower]
    for index, value in enumerate(values):
        shown = ["" if numpy.isnan(output[index]) else repr(float(output[index])) for output in outputs]
        writer.writerow([name, repr(float(value)), *shown])
with open("windows.csv.gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
    out.write(rows.getvalue().encode())
