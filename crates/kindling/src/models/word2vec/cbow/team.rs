//! What the threads of a team share: partial dot products, and a place to wait for each other.

use std::{
    hint::spin_loop,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

/// How often a thread looks for the others before it goes to sleep: for about as long as it would take to wake it.
const LOOKS: usize = 2_000;

/// Where threads meet: nobody goes on before everybody has come.
///
/// A mini-batch takes some ten microseconds, and so does waking a thread. So the threads wait awake, as long as it makes sense:
/// where other programs want the processor, one of the team may come much later.
#[derive(Debug)]
pub(super) struct Barrier {
    size: usize,
    arrivals: AtomicUsize,
    sleepers: Mutex<usize>,
    complete: Condvar,
}

impl Barrier {
    /// For a team of so many threads.
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            arrivals: AtomicUsize::new(0),
            sleepers: Mutex::new(0),
            complete: Condvar::new(),
        }
    }

    /// Waits for the rest of the team. What each thread wrote before, all may read afterwards.
    pub(super) fn wait(&self) {
        let arrivals = 1 + self.arrivals.fetch_add(1, Ordering::AcqRel);
        let wanted = arrivals.next_multiple_of(self.size);
        let complete = || self.arrivals.load(Ordering::Acquire) >= wanted;
        if arrivals < wanted {
            for _ in 0..LOOKS {
                if complete() {
                    return;
                }
                spin_loop();
            }
        }
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals == wanted && *sleepers > 0 {
            self.complete.notify_all();
        }
        while !complete() {
            *sleepers += 1;
            let woken = self.complete.wait(sleepers);
            sleepers = woken.unwrap_or_else(PoisonError::into_inner);
            *sleepers -= 1;
        }
    }
}

/// Partial dot products, each written by one thread and, after the next meeting, read by all.
#[derive(Debug)]
pub(super) struct Products {
    /// The bits of a float each: `(spans, targets)`.
    cells: Vec<AtomicU32>,
    targets: usize,
}

impl Products {
    /// Room for the products of so many targets over so many spans of features.
    pub(super) fn new(spans: usize, targets: usize) -> Self {
        Self {
            cells: (0..spans * targets).map(|_| AtomicU32::new(0)).collect(),
            targets,
        }
    }

    /// Writes the product over one span.
    #[inline(always)]
    pub(super) fn set(&self, span: usize, target: usize, product: f32) {
        // The meeting puts writes and reads in order, so that none is needed here.
        self.cells[span * self.targets + target].store(product.to_bits(), Ordering::Relaxed);
    }

    /// The whole dot products of some targets in a row: sums over the spans, always in the same order.
    #[inline(always)]
    pub(super) fn add_to(&self, first: usize, logits: &mut [f32]) {
        for span in self.cells.chunks_exact(self.targets) {
            for (logit, cell) in logits.iter_mut().zip(&span[first..]) {
                *logit += f32::from_bits(cell.load(Ordering::Relaxed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_leaves_before_everybody_has_come() {
        let (barrier, counted) = (Barrier::new(4), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for meeting in 1..=200 {
                        counted.fetch_add(1, Ordering::Relaxed);
                        barrier.wait();
                        assert_eq!(counted.load(Ordering::Relaxed), 4 * meeting);
                        barrier.wait();
                    }
                });
            }
        });
    }

    #[test]
    fn products_are_summed_over_the_spans() {
        let products = Products::new(2, 3);
        for (span, target, product) in [(0, 1, 1.5), (0, 2, 4.0), (1, 1, -2.0), (1, 2, 0.25)] {
            products.set(span, target, product);
        }
        let mut logits = [0.0; 2];
        products.add_to(1, &mut logits);
        assert_eq!(logits, [-0.5, 4.25]);
    }
}
