//! Work in parts, on as many threads as it is worth.

use rayon::{
    iter::plumbing::{Producer, ProducerCallback},
    prelude::*,
};

/// Does the work on each part: on the threads of the pool where there are several parts and threads, else right here.
///
/// To wake another thread and to wait for it takes as long as a small layer.
pub(super) fn each_part<P>(parts: P, work: impl Fn(P::Item) + Sync + Send)
where
    P: IndexedParallelIterator,
{
    if parts.len() > 1 && rayon::current_num_threads() > 1 {
        parts.for_each(work);
    } else {
        parts.with_producer(Here(work));
    }
}

/// Takes all parts on the thread that asks.
struct Here<W>(W);

impl<T, W: Fn(T)> ProducerCallback<T> for Here<W> {
    type Output = ();

    fn callback<P: Producer<Item = T>>(self, parts: P) {
        parts.into_iter().for_each(self.0);
    }
}

/// As many numbers as are given, made a part at a time: `work` is told which part it is, where to write, and what to read.
pub(super) fn made_from(
    numbers: &[f32],
    part: usize,
    work: impl Fn(usize, &mut [f32], &[f32]) + Sync + Send,
) -> Vec<f32> {
    let mut made = vec![0.0; numbers.len()];
    let parts = made.par_chunks_mut(part).zip(numbers.par_chunks(part));
    each_part(parts.enumerate(), |(place, (made, numbers))| {
        work(place, made, numbers);
    });
    made
}

/// As many numbers as are given twice, made a part at a time: `work` is told where to write, and what to read.
pub(super) fn made_from_two(
    [first, second]: [&[f32]; 2],
    part: usize,
    work: impl Fn(&mut [f32], &[f32], &[f32]) + Sync + Send,
) -> Vec<f32> {
    made_from(first, part, |place, made, first| {
        work(made, first, &second[place * part..][..first.len()]);
    })
}

/// One matrix `(rows, columns)` of parts `(rows, some of the columns)` that lie side by side in it.
pub(super) fn side_by_side(parts: &[Vec<f32>], rows: usize, columns: usize) -> Vec<f32> {
    let mut whole = vec![0.0; rows * columns];
    let mut first = 0;
    for part in parts {
        let width = part.len() / rows.max(1);
        let lines = part.chunks_exact(width.max(1));
        for (line, row) in lines.zip(whole.chunks_exact_mut(columns)) {
            row[first..first + width].copy_from_slice(line);
        }
        first += width;
    }
    whole
}

/// Adds to each sum.
#[inline(always)]
pub(super) fn add(sums: &mut [f32], more: &[f32]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    #[test]
    fn each_part_is_worked_on_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 5] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            for numbers in [0_u32, 1, 6, 100] {
                let mut squares: Vec<u32> = (0..numbers).collect();
                pool.as_ref().unwrap().install(|| {
                    each_part(squares.par_chunks_mut(6), |part| {
                        part.iter_mut().for_each(|number| *number *= *number);
                    });
                });
                assert!(
                    squares
                        .iter()
                        .zip(0..)
                        .all(|(square, number)| *square == number * number)
                );
            }
        }
    }

    #[test]
    fn parts_of_what_is_given_meet_the_same_place_of_what_is_made() {
        let numbers: Vec<f32> = (0..10_u8).map(f32::from).collect();
        let places = made_from(&numbers, 4, |place, made, numbers| {
            made.iter_mut().for_each(|number| *number = place as f32);
            add(made, numbers);
        });
        assert_eq!(places, [0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0, 10.0, 11.0]);
        let doubled = made_from_two([&numbers, &numbers], 3, |made, first, second| {
            made.copy_from_slice(first);
            add(made, second);
        });
        assert!(
            doubled
                .iter()
                .zip(&numbers)
                .all(|(double, number)| *double == 2.0 * number)
        );
    }

    #[test]
    fn one_part_stays_on_the_thread_that_asks() {
        let here = std::thread::current().id();
        each_part([1, 2].par_chunks(2), |_| {
            assert_eq!(std::thread::current().id(), here)
        });
    }
}
