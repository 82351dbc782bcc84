//! The yardstick: one strategy written out by hand, in `f64`, with nothing that it does not need.

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
