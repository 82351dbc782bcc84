//! Makes coarser candles from finer ones.

use domain::{
    market::{Candle, Timeframe},
    simulation::Candles,
};

/// Makes candles of `to` from ascending candles of `from`: first open, highest high, lowest low, last close. Volumes are added
/// as integers of `volume_decimals`, so exactly. The last candle is omitted unless its last finer candle is there.
pub(super) fn resample(
    candles: &Candles,
    from: Timeframe,
    to: Timeframe,
    volume_decimals: u32,
) -> Candles {
    let duration = to.duration_ms();
    let mut coarse = Candles::default();
    let mut start = 0;
    while start < candles.len() {
        let opening = candles.open_time[start].div_euclid(duration) * duration;
        let length = candles.open_time[start..].partition_point(|time| *time < opening + duration);
        let end = start + length;
        let is_closed = candles.open_time[end - 1] + from.duration_ms() == opening + duration;
        if is_closed || end < candles.len() {
            coarse.push(merge(candles, start..end, opening, volume_decimals));
        }
        start = end;
    }
    coarse
}

fn merge(
    candles: &Candles,
    range: std::ops::Range<usize>,
    open_time: i64,
    volume_decimals: u32,
) -> Candle {
    Candle {
        open_time,
        open: candles.open[range.start],
        high: candles.high[range.clone()].iter().copied().fold(f64::MIN, f64::max),
        low: candles.low[range.clone()].iter().copied().fold(f64::MAX, f64::min),
        close: candles.close[range.end - 1],
        volume: sum(&candles.volume[range], volume_decimals),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "rounded digits")]
fn sum(volumes: &[f64], decimals: u32) -> f64 {
    let scale = 10_f64.powi(decimals.cast_signed());
    let digits: i128 = volumes.iter().map(|volume| (volume * scale).round() as i128).sum();
    digits as f64 / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(count: i64, first: i64) -> Candles {
        (0..count)
            .map(|i| Candle {
                open_time: (first + i) * 60_000,
                open: 10.0 + i as f64,
                high: 11.0 + i as f64,
                low: 9.0 + i as f64,
                close: 10.5 + i as f64,
                volume: 0.1,
            })
            .collect()
    }

    #[test]
    fn five_minutes_become_one_candle_and_volumes_add_up_to_the_last_digit() {
        let coarse = resample(&minutes(10, 0), Timeframe::OneMinute, Timeframe::FiveMinutes, 1);
        let expected = Candle {
            open_time: 300_000,
            open: 15.0,
            high: 20.0,
            low: 14.0,
            close: 19.5,
            volume: 0.5,
        };
        assert_eq!(coarse.len(), 2);
        assert_eq!(coarse.get(1), Some(expected));
    }

    #[test]
    fn a_last_candle_that_is_not_whole_is_left_out() {
        let coarse = resample(&minutes(9, 0), Timeframe::OneMinute, Timeframe::FiveMinutes, 1);
        assert_eq!(coarse.open_time, [0]);
    }

    #[test]
    fn a_gap_inside_does_not_move_the_openings() {
        let mut candles = minutes(3, 0);
        candles.push(minutes(1, 14).get(0).unwrap());
        let coarse = resample(&candles, Timeframe::OneMinute, Timeframe::FiveMinutes, 1);
        assert_eq!(coarse.open_time, [0, 600_000]);
    }
}
