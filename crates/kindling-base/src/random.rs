//! Random numbers that are the same on each run: the seed is always given.

use candle_core::{Device, Shape, Tensor};

use crate::{Error, Result};

/// How far the counter goes with each number.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A small seeded generator of random numbers: SplitMix64 (Steele, Lea and Flood, 2014).
///
/// One 64-bit counter goes up by a fixed odd step; each number is the counter, scrambled. The same seed gives the
/// same numbers on every machine, which is what a lesson needs. It is not made for cryptography.
///
/// ```
/// use kindling_base::Random;
/// let mut random = Random::new(42);
/// let noise = random.normal((2, 3), 0.0, 1.0)?; // (2, 3)
/// assert_eq!(noise.dims(), [2, 3]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Random {
    counter: u64,
}

impl Random {
    /// Starts the sequence that belongs to `seed`.
    #[must_use]
    #[inline]
    pub fn new(seed: u64) -> Self {
        Self { counter: seed }
    }

    /// The chance that belongs to one step of one epoch of a training run, whatever was drawn before it.
    ///
    /// A run that is resumed in the middle therefore goes on exactly as if it had never stopped.
    #[must_use]
    #[inline]
    pub fn for_step(seed: u64, epoch: u64, step: u64) -> Self {
        let mut random = Self::new(seed);
        for number in [epoch, step] {
            random.counter = random.next_u64() ^ number;
        }
        Self::new(random.next_u64())
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let bits = self.ahead(0);
        self.skip(1);
        bits
    }

    /// The bits that come after the next `count`; as the generator is a counter, they are known without those before them.
    #[inline(always)]
    #[must_use]
    pub fn ahead(&self, count: usize) -> u64 {
        let steps = (count as u64).wrapping_add(1);
        let mut bits = self.counter.wrapping_add(STEP.wrapping_mul(steps));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Leaves out the next `count` numbers.
    #[inline]
    pub fn skip(&mut self, count: usize) {
        self.counter = self.counter.wrapping_add(STEP.wrapping_mul(count as u64));
    }

    /// A number in `0.0..1.0`, each as likely as any other.
    #[inline]
    pub fn next_f64(&mut self) -> f64 {
        // A double holds 53 bits exactly, so the top 53 of the 64 become the fraction.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from the normal distribution with mean 0 and standard deviation 1 (Box and Muller, 1958).
    #[inline]
    pub fn next_normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.next_f64()).ln()).sqrt(); // 1 - u is never 0, whose logarithm is infinite
        radius * (std::f64::consts::TAU * self.next_f64()).cos()
    }

    /// A whole number in `0..limit`; 0 when `limit` is 0.
    #[inline]
    pub fn below(&mut self, limit: usize) -> usize {
        // The high half of a 128-bit product maps 64 random bits onto 0..limit without a division.
        ((u128::from(self.next_u64()) * limit as u128) >> 64) as usize
    }

    /// Puts the items in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// The numbers `0..length` in a random order.
    pub fn permutation(&mut self, length: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..length).collect();
        self.shuffle(&mut order);
        order
    }

    /// A tensor of numbers in `low..high`, each as likely as any other.
    pub fn uniform(&mut self, shape: impl Into<Shape>, low: f64, high: f64) -> Result<Tensor> {
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Err(Error::Argument(format!(
                "uniform: expected low <= high, found low {low} and high {high}"
            )));
        }
        self.fill(shape, |random| low + (high - low) * random.next_f64())
    }

    /// A tensor of numbers from the normal distribution with this mean and standard deviation.
    pub fn normal(
        &mut self,
        shape: impl Into<Shape>,
        mean: f64,
        standard_deviation: f64,
    ) -> Result<Tensor> {
        if !(mean.is_finite() && standard_deviation.is_finite() && standard_deviation >= 0.0) {
            let found = format!("mean {mean} and standard deviation {standard_deviation}");
            return Err(Error::Argument(format!(
                "normal: expected finite numbers, the deviation not negative, found {found}"
            )));
        }
        self.fill(shape, |random| {
            mean + standard_deviation * random.next_normal()
        })
    }

    fn fill(
        &mut self,
        shape: impl Into<Shape>,
        mut number: impl FnMut(&mut Self) -> f64,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let numbers: Vec<f32> = (0..shape.elem_count())
            .map(|_| number(self) as f32)
            .collect();
        Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_splitmix64() {
        // The first outputs for seed 1234567, as published with the reference code.
        let mut random = Random::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_tensor() {
        let draw = |seed| {
            Random::new(seed)
                .normal((3, 4), 0.0, 1.0)
                .unwrap()
                .to_vec2::<f32>()
                .unwrap()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn normal_numbers_have_the_mean_and_deviation_asked_for() {
        let numbers = Random::new(1)
            .normal(100_000, 3.0, 2.0)
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        let mean = numbers.iter().sum::<f32>() / 1e5;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 1e5;
        assert!((mean - 3.0).abs() < 0.03, "mean {mean}");
        assert!(
            (variance.sqrt() - 2.0).abs() < 0.03,
            "deviation {}",
            variance.sqrt()
        );
    }

    #[test]
    fn below_reaches_every_number_about_equally_often() {
        let mut random = Random::new(5);
        let mut counts = [0; 7];
        for _ in 0..70_000 {
            counts[random.below(7)] += 1;
        }
        assert!(
            counts.iter().all(|&count| (9_500..10_500).contains(&count)),
            "{counts:?}"
        );
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn a_permutation_has_each_number_once() {
        let mut order = Random::new(3).permutation(1_000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1_000));
    }

    #[test]
    fn each_step_has_a_chance_of_its_own() {
        let first = |seed, epoch, step| Random::for_step(seed, epoch, step).next_u64();
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        let mut seen = std::collections::HashSet::new();
        for (seed, epoch, step) in
            (0..8).flat_map(|a| (0..8).flat_map(move |b| (0..8).map(move |c| (a, b, c))))
        {
            assert!(
                seen.insert(first(seed, epoch, step)),
                "{seed} {epoch} {step}"
            );
        }
    }

    #[test]
    fn impossible_ranges_are_refused() {
        assert!(Random::new(0).uniform(3, 1.0, 0.0).is_err());
        assert!(Random::new(0).normal(3, 0.0, f64::NAN).is_err());
    }
}
