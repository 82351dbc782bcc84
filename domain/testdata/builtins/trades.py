"""The built-ins over Bitcoin's days in plain Python, out of the books' formulas; knows nothing of the engine's code.

    python3 domain/testdata/builtins/trades.py > domain/testdata/builtins/BTCUSDT_1d.trades.json

A trade is [index of the candle at whose opening it is entered, the same for leaving or null]. A signal on a close is
filled at the next opening. Rules are evaluated once all that they need had a value on the candle before.
"""
import csv, json, pathlib
from math import sqrt

HERE = pathlib.Path(__file__).parent
ROWS = list(csv.DictReader(open(HERE.parent / "candles" / "BTCUSDT_1d.csv")))
O, H, L, C = ([float(row[name]) for row in ROWS] for name in ("open", "high", "low", "close"))
N = len(C)


def window(values, n, function):
    """The function of the last n values; None where one of them is missing."""
    last = lambda i: values[i - n + 1:i + 1]
    return [function(last(i)) if i >= n - 1 and None not in last(i) else None for i in range(N)]


def mean(values):
    return sum(values) / len(values)


def sma(values, n):
    return window(values, n, mean)


def deviation(values):
    middle = mean(values)
    return sqrt(mean([(value - middle) ** 2 for value in values]))


def smooth(values, n, weight):
    """Exponential smoothing, begun with the mean of the first n values."""
    start = next(i for i, value in enumerate(values) if value is not None)
    out = [None] * N
    out[start + n - 1] = mean(values[start:start + n])
    for i in range(start + n, N):
        out[i] = out[i - 1] + weight * (values[i] - out[i - 1])
    return out


def ema(values, n):
    return smooth(values, n, 2 / (n + 1))


def wilder(values, n):
    return smooth(values, n, 1 / n)


def changes(function):
    return [None] + [function(i) for i in range(1, N)]


def rsi(n):
    up = wilder(changes(lambda i: max(C[i] - C[i - 1], 0.0)), n)
    down = wilder(changes(lambda i: max(C[i - 1] - C[i], 0.0)), n)
    return [None if u is None else 100 * u / (u + d) if u + d else 0.0 for u, d in zip(up, down)]


TRUE_RANGE = changes(lambda i: max(H[i], C[i - 1]) - min(L[i], C[i - 1]))


def directional(n):
    """+DI, -DI and ADX. The first sum is of n - 1 values and decays at once, as in TA-Lib."""
    plus, minus = [None] * N, [None] * N
    sums = [0.0, 0.0, 0.0]
    for i in range(1, N):
        up, down = H[i] - H[i - 1], L[i - 1] - L[i]
        now = [up if up > down and up > 0 else 0.0, down if down > up and down > 0 else 0.0, TRUE_RANGE[i]]
        sums = [s - (s / n if i >= n else 0) + x for s, x in zip(sums, now)]
        if i >= n:
            plus[i], minus[i] = 100 * sums[0] / sums[2], 100 * sums[1] / sums[2]
    dx = [None if p is None else 100 * abs(p - m) / (p + m) for p, m in zip(plus, minus)]
    return plus, minus, wilder(dx, n)


def supertrend(n, multiplier):
    atr, direction = wilder(TRUE_RANGE, n), [None] * N
    upper = lower = None
    now = 1
    for i in range(n, N):
        middle, reach = (H[i] + L[i]) / 2, multiplier * atr[i]
        above, below = middle + reach, middle - reach
        upper = above if upper is None or above < upper or C[i - 1] > upper else upper
        lower = below if lower is None or below > lower or C[i - 1] < lower else lower
        now = -1 if now == 1 and C[i] < lower else 1 if now == -1 and C[i] > upper else now
        direction[i] = now
    return direction


def above(a, b):
    return lambda i: a[i] > b[i]


def over(a, b):
    """a crosses above b."""
    return lambda i: a[i - 1] <= b[i - 1] and a[i] > b[i]


def before(values):
    return [None] + values[:-1]


def flat(level):
    return [level] * N


def trades(series, enters, leaves):
    first = max(next(i for i, value in enumerate(column) if value is not None) for column in series)
    done, held = [], None
    for i in range(first + 1, N - 1):
        if held is None and enters(i):
            held = i + 1
        elif held is not None and leaves(i):
            done.append([held, i + 1])
            held = None
    return done + ([] if held is None else [[held, None]])


def both(a, b):
    return lambda i: a(i) and b(i)


def all_trades():
    short, long = ema(C, 12), ema(C, 26)
    yield "ema_cross", trades([short, long], over(short, long), over(long, short))
    trend, quick, strength = sma(C, 200), sma(C, 5), rsi(2)
    dip = both(above(C, trend), above(flat(5), strength))
    yield "connors_rsi_2", trades([trend, quick, strength], dip, above(C, quick))
    middle, spread = sma(C, 20), window(C, 20, deviation)
    lower = [None if s is None else m - 2 * s for m, s in zip(middle, spread)]
    yield "bollinger_reversion", trades([middle, lower], above(lower, C), above(C, middle))
    top, bottom = before(window(H, 20, max)), before(window(L, 10, min))
    yield "donchian_breakout", trades([top, bottom], above(C, top), above(bottom, C))
    direction = supertrend(10, 3)
    yield "supertrend", trades([direction], over(direction, flat(0)), over(flat(0), direction))
    plus, minus, adx = directional(14)
    yield "adx_trend", trades([plus, minus, adx], both(above(plus, minus), above(adx, flat(25))), above(minus, plus))
    roc = [None] * 10 + [100 * (C[i] / C[i - 10] - 1) for i in range(10, N)]
    yield "momentum", trades([roc], above(roc, flat(0)), above(flat(0), roc))
    highest, lowest = window(H, 14, max), window(L, 14, min)
    raw = [None if h is None else 100 * (c - l) / (h - l) for c, h, l in zip(C, highest, lowest)]
    k = sma(raw, 3)
    d = sma(k, 3)
    buy, sell = both(over(k, d), above(flat(20), k)), both(over(d, k), above(k, flat(80)))
    yield "stochastic_reversal", trades([k, d], buy, sell)


if __name__ == "__main__":
    print("{" + ",\n ".join(f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in all_trades()) + "}")
