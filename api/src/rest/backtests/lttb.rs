//! Largest triangle three buckets (Steinarsson 2013, "Downsampling Time Series for Visual Representation"): fewer points
//! that look the same.

/// At most `max_points` of the points, first and last among them; all of them where there are no more.
pub(crate) fn lttb<T: Copy>(
    points: &[T],
    max_points: usize,
    place: impl Fn(&T) -> (f64, f64),
) -> Vec<T> {
    let (count, inner) = (points.len(), max_points.saturating_sub(2));
    if count <= max_points || inner == 0 {
        return points.to_vec();
    }
    // Bucket b of the inner points spans start(b)..start(b + 1).
    let start = |bucket: usize| 1 + bucket * (count - 2) / inner;
    let mut kept = vec![points[0]];
    let mut last = place(&points[0]);
    for bucket in 0..inner {
        let next_end = if bucket + 1 == inner { count } else { start(bucket + 2) };
        let next = &points[start(bucket + 1)..next_end];
        let sum = next.iter().map(&place).fold((0.0, 0.0), |a, p| (a.0 + p.0, a.1 + p.1));
        let mean = (sum.0 / next.len() as f64, sum.1 / next.len() as f64);
        let area = |point: &T| {
            let (x, y) = place(point);
            ((last.0 - mean.0) * (y - last.1) - (last.0 - x) * (mean.1 - last.1)).abs()
        };
        let candidates = &points[start(bucket)..start(bucket + 1)];
        if let Some(best) = candidates.iter().max_by(|a, b| area(a).total_cmp(&area(b))) {
            kept.push(*best);
            last = place(best);
        }
    }
    kept.push(points[count - 1]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(index, value)| (index as f64, *value)).collect()
    }

    #[test]
    fn few_points_stay_as_they_are() {
        let few = points(&[1.0, 2.0, 3.0]);
        assert_eq!(lttb(&few, 3, |point| *point), few);
    }

    #[test]
    fn the_spike_of_each_bucket_stays() {
        // Buckets by hand: 1..4 (spike 9 at 2) and 4..7 (dip -9 at 5); the ends stay.
        let many = points(&[0.0, 0.0, 9.0, 0.0, 0.0, -9.0, 0.0, 0.0]);
        let kept = lttb(&many, 4, |point| *point);
        assert_eq!(kept, [(0.0, 0.0), (2.0, 9.0), (5.0, -9.0), (7.0, 0.0)]);
    }

    #[test]
    fn the_count_is_exact_for_every_size() {
        for size in 4..60 {
            let many = points(&(0..size).map(f64::from).collect::<Vec<_>>());
            for max_points in 3..many.len() {
                assert_eq!(lttb(&many, max_points, |point| *point).len(), max_points);
            }
        }
    }
}
