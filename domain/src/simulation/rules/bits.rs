//! A column of booleans, one bit per candle: signals that the engine can skip through.

/// One bit a candle, 64 a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// All clear, or all set.
    pub(crate) fn filled(len: usize, value: bool) -> Self {
        let word = if value { u64::MAX } else { 0 };
        let mut bits = Self { words: vec![word; len.div_ceil(64)], len };
        bits.clear_tail();
        bits
    }

    /// A bit for each value.
    pub(crate) fn of(values: &[f64], test: impl Fn(f64) -> bool) -> Self {
        let pack = |chunk: &[f64]| {
            let mut bytes = [0; 64];
            for (byte, value) in bytes.iter_mut().zip(chunk) {
                *byte = u8::from(test(*value));
            }
            gather(&bytes)
        };
        Self { words: values.chunks(64).map(pack).collect(), len: values.len() }
    }

    /// A bit for each pair of values; both columns are equally long.
    pub(crate) fn of_pairs(left: &[f64], right: &[f64], test: impl Fn(f64, f64) -> bool) -> Self {
        let mut bits = Self::empty(left.len());
        bits.append_pairs(left, right, test);
        bits
    }

    /// Appends as many, to bits that end with a whole word.
    pub(crate) fn append_pairs(
        &mut self,
        left: &[f64],
        right: &[f64],
        test: impl Fn(f64, f64) -> bool,
    ) {
        let pack = |(left, right): (&[f64], &[f64])| {
            let mut bytes = [0; 64];
            for (byte, (left, right)) in bytes.iter_mut().zip(left.iter().zip(right)) {
                *byte = u8::from(test(*left, *right));
            }
            gather(&bytes)
        };
        let chunks = left.chunks(64).zip(right.chunks(64));
        self.words.extend(chunks.map(pack));
        self.len += left.len();
    }

    /// Where the first of each pair is less, and where it is greater; both columns are equally long.
    pub(crate) fn less_and_greater(left: &[f64], right: &[f64]) -> (Self, Self) {
        let (mut less, mut greater) = (Self::empty(left.len()), Self::empty(left.len()));
        Self::append_less_and_greater(&mut less, &mut greater, left, right);
        (less, greater)
    }

    /// Without any bit, with room for as many.
    pub(crate) fn empty(len: usize) -> Self {
        Self { words: Vec::with_capacity(len.div_ceil(64)), len: 0 }
    }

    /// Appends where the first of each pair is less and where it is greater, to bits that end with a whole word.
    pub(crate) fn append_less_and_greater(
        less: &mut Self,
        greater: &mut Self,
        left: &[f64],
        right: &[f64],
    ) {
        for (left, right) in left.chunks(64).zip(right.chunks(64)) {
            let (mut less_bytes, mut greater_bytes) = ([0; 64], [0; 64]);
            let bytes = less_bytes.iter_mut().zip(&mut greater_bytes);
            for ((less, greater), (left, right)) in bytes.zip(left.iter().zip(right)) {
                *less = u8::from(left < right);
                *greater = u8::from(left > right);
            }
            less.words.push(gather(&less_bytes));
            greater.words.push(gather(&greater_bytes));
        }
        less.len += left.len();
        greater.len += left.len();
    }

    /// Whether the bit of a candle is set; false beyond the end.
    pub(crate) fn get(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// The first set bit at or after `from`.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        let first = from / 64;
        let mut word = self.words.get(first)? & (u64::MAX << (from % 64));
        let mut index = first;
        while word == 0 {
            index += 1;
            word = *self.words.get(index)?;
        }
        Some(index * 64 + word.trailing_zeros() as usize)
    }

    /// Clears every bit before `end`.
    pub(crate) fn clear_before(&mut self, end: usize) {
        let whole = (end / 64).min(self.words.len());
        self.words[..whole].fill(0);
        if let Some(word) = self.words.get_mut(whole) {
            *word &= u64::MAX << (end % 64);
        }
    }

    /// Each bit moved to the candle after its own.
    pub(crate) fn moved_by_one(mut self) -> Self {
        let mut carry = 0;
        for word in &mut self.words {
            let next_carry = *word >> 63;
            *word = *word << 1 | carry;
            carry = next_carry;
        }
        self.clear_tail();
        self
    }

    /// Keeps what is set in both.
    pub(crate) fn and(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds what is set in the other.
    pub(crate) fn or(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    fn clear_tail(&mut self) {
        let used = self.len % 64;
        if used > 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= u64::MAX >> (64 - used);
        }
    }
}

/// The lowest bits of 64 bytes as a word: compilers compare whole vectors into bytes, but not into bits.
fn gather(bytes: &[u8; 64]) -> u64 {
    // Moves the lowest bit of the byte k to bit 56 + k; no two products meet.
    const TO_TOP: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bytes.as_chunks::<8>();
    eights
        .iter()
        .rev()
        .fold(0, |word, eight| word << 8 | u64::from_le_bytes(*eight).wrapping_mul(TO_TOP) >> 56)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_set_bit_is_found_across_words() {
        let values: Vec<f64> = (0..200).map(f64::from).collect();
        let bits = Bits::of(&values, |value| value == 3.0 || value == 130.0);
        assert_eq!((bits.next(0), bits.next(3), bits.next(4)), (Some(3), Some(3), Some(130)));
        assert_eq!((bits.next(131), bits.next(500)), (None, None));
        assert!(bits.get(130) && !bits.get(129) && !bits.get(1_000));
    }

    #[test]
    fn every_bit_says_whether_its_value_passes() {
        let values: Vec<f64> = (0..203).map(|index| f64::from(index * 37 % 101)).collect();
        let bits = Bits::of(&values, |value| value > 60.0);
        let pairs = Bits::of_pairs(&values, &values[..203], |left, right| {
            left > right - 0.5 && left > 60.0
        });
        for (index, value) in values.iter().enumerate() {
            assert_eq!(bits.get(index), *value > 60.0, "{index}");
        }
        assert_eq!(pairs, bits);
    }

    #[test]
    fn moving_carries_into_the_next_word_and_drops_what_leaves_the_end() {
        let values: Vec<f64> = (0..66).map(f64::from).collect();
        let bits = Bits::of(&values, |value| value >= 63.0).moved_by_one();
        let set: Vec<usize> = (0..80).filter(|index| bits.get(*index)).collect();
        assert_eq!(set, [64, 65]);
    }

    #[test]
    fn clearing_before_a_candle_keeps_it_and_what_follows() {
        let mut bits = Bits::filled(130, true);
        bits.clear_before(65);
        assert_eq!(
            (bits.get(64), bits.get(65), bits.get(129), bits.get(130)),
            (false, true, true, false)
        );
        bits.clear_before(1_000);
        assert_eq!(bits.next(0), None);
    }
}
