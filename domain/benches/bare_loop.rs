//! The yardsticks: two strategies written out by hand, in `f64`, with nothing that they do not need.

/// A round trip of the bare loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BareTrade {
    pub(crate) entry: usize,
    pub(crate) exit: usize,
    pub(crate) quantity: f64,
    pub(crate) pnl: f64,
}

/// What the bare loop leaves behind.
#[derive(Debug)]
pub(crate) struct BareOutcome {
    pub(crate) equity: Vec<f64>,
    pub(crate) trades: Vec<BareTrade>,
    pub(crate) max_drawdown: f64,
}

/// SMA 50 over 200 crosses, long only, all in at the next open, 0.1 % a side, quantities in hundred-millionths.
#[must_use]
pub(crate) fn run(open: &[f64], close: &[f64]) -> BareOutcome {
    let (fast, slow) = (sma(close, 50), sma(close, 200));
    let mut equity = vec![0.0; close.len()];
    let mut trades = Vec::new();
    let (mut cash, mut quantity) = (10_000.0_f64, 0.0_f64);
    let (mut cost, mut entry) = (0.0_f64, 0);
    let (mut peak, mut max_drawdown) = (0.0_f64, 0.0_f64);
    let (mut is_entry_due, mut is_exit_due) = (false, false);
    for i in 0..close.len() {
        if is_entry_due {
            quantity = (cash / (open[i] * 1.001) * 1e8).floor() / 1e8;
            cost = quantity * open[i] * 1.001;
            cash -= cost;
            entry = i;
            is_entry_due = false;
        } else if is_exit_due {
            let proceeds = quantity * open[i] * 0.999;
            cash += proceeds;
            trades.push(BareTrade { entry, exit: i, quantity, pnl: proceeds - cost });
            quantity = 0.0;
            is_exit_due = false;
        }
        let value = cash + quantity * close[i];
        equity[i] = value;
        peak = peak.max(value);
        max_drawdown = max_drawdown.max(1.0 - value / peak);
        if i >= 200 {
            if quantity == 0.0 {
                is_entry_due = fast[i - 1] < slow[i - 1] && fast[i] > slow[i];
            } else {
                is_exit_due = fast[i - 1] > slow[i - 1] && fast[i] < slow[i];
            }
        }
    }
    BareOutcome { equity, trades, max_drawdown }
}

/// RSI(14) below 30 enters, above 70 leaves; a stop 5 % below the entry and a target 10 % above it; long only, all in at
/// the next open, 0.1 % a side, quantities in hundred-millionths.
#[must_use]
pub(crate) fn run_rsi(open: &[f64], high: &[f64], low: &[f64], close: &[f64]) -> BareOutcome {
    let rsi = rsi(close, 14);
    let mut equity = vec![0.0; close.len()];
    let mut trades = Vec::new();
    let (mut cash, mut quantity) = (10_000.0_f64, 0.0_f64);
    let (mut cost, mut entry, mut stop, mut target) = (0.0_f64, 0, 0.0_f64, 0.0_f64);
    let (mut peak, mut max_drawdown) = (0.0_f64, 0.0_f64);
    let (mut is_entry_due, mut is_exit_due) = (false, false);
    for i in 0..close.len() {
        let mut exit_price = 0.0;
        if is_entry_due {
            quantity = (cash / (open[i] * 1.001) * 1e8).floor() / 1e8;
            cost = quantity * open[i] * 1.001;
            cash -= cost;
            entry = i;
            (stop, target) = (open[i] * 0.95, open[i] * 1.10);
            is_entry_due = false;
        } else if is_exit_due {
            exit_price = open[i];
            is_exit_due = false;
        }
        if quantity > 0.0 && exit_price == 0.0 {
            if low[i] <= stop {
                exit_price = open[i].min(stop);
            } else if high[i] >= target {
                exit_price = open[i].max(target);
            }
        }
        if exit_price > 0.0 {
            let proceeds = quantity * exit_price * 0.999;
            cash += proceeds;
            trades.push(BareTrade { entry, exit: i, quantity, pnl: proceeds - cost });
            quantity = 0.0;
        }
        let value = cash + quantity * close[i];
        equity[i] = value;
        peak = peak.max(value);
        max_drawdown = max_drawdown.max(1.0 - value / peak);
        if i > 14 {
            if quantity == 0.0 {
                is_entry_due = rsi[i] < 30.0;
            } else {
                is_exit_due = rsi[i] > 70.0;
            }
        }
    }
    BareOutcome { equity, trades, max_drawdown }
}

/// Wilder's, seeded with the mean of the first `period` changes.
fn rsi(close: &[f64], period: usize) -> Vec<f64> {
    let mut values = vec![0.0; close.len()];
    let n = period as f64;
    let (mut gain, mut loss) = (0.0, 0.0);
    for i in 1..close.len() {
        let change = close[i] - close[i - 1];
        let (up, down) = (change.max(0.0), (-change).max(0.0));
        if i <= period {
            gain += up / n;
            loss += down / n;
        } else {
            gain = (gain * (n - 1.0) + up) / n;
            loss = (loss * (n - 1.0) + down) / n;
        }
        values[i] = if gain + loss == 0.0 { 0.0 } else { 100.0 * gain / (gain + loss) };
    }
    values
}

fn sma(values: &[f64], period: usize) -> Vec<f64> {
    let mut averages = vec![0.0; values.len()];
    let mut sum = 0.0;
    for (i, value) in values.iter().enumerate() {
        sum += value;
        if i >= period {
            sum -= values[i - period];
        }
        averages[i] = sum / period as f64;
    }
    averages
}
