//! How the threads of the pool share the work of a step.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec;

use taper_kernels::{Aligned, KernelError};

use super::step::{Job, Outcome};

thread_local! {
    /// What the jobs of a thread work in, kept from step to step.
    static MEMORY: Cell<Aligned> = Cell::default();
}

/// Jobs that nothing waits for yet: who has nothing else to do takes the next.
#[derive(Default)]
pub(super) struct Spare<'a>(Mutex<vec::IntoIter<Job<'a>>>);

impl<'a> Spare<'a> {
    pub(super) fn new(jobs: Vec<Job<'a>>) -> Self {
        Self(Mutex::new(jobs.into_iter()))
    }

    fn len(&self) -> usize {
        lock(&self.0).len()
    }

    fn next(&self) -> Option<Job<'a>> {
        lock(&self.0).next()
    }

    /// Those that nobody took.
    pub(super) fn into_rest(self) -> vec::IntoIter<Job<'a>> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs all jobs, each on the first thread that is free, in order.
pub(crate) fn run(jobs: Vec<Job<'_>>) -> Outcome {
    share(jobs.into_iter(), None, |job, memory| job(memory))
}

/// Calls `work` on every item, each on the first thread that is free, in order. A thread for which there is none left runs
/// jobs of `spare` until the others are done as well: so nobody waits for the slowest, as long as there are jobs.
pub(super) fn for_each<T: Send>(
    items: &mut [T],
    spare: &Spare<'_>,
    work: impl Fn(&mut T) -> Outcome + Sync,
) -> Outcome {
    share(items.iter_mut(), Some(spare), |item, _| work(item))
}

fn share<T: Send>(
    items: impl ExactSizeIterator<Item = T> + Send,
    spare: Option<&Spare<'_>>,
    work: impl Fn(T, &mut Aligned) -> Outcome + Sync,
) -> Outcome {
    let wanted = items.len() + spare.map_or(0, Spare::len);
    let (threads, left) = (rayon::current_num_threads().min(wanted), AtomicUsize::new(items.len()));
    let (items, failure) = (Mutex::new(items), Mutex::new(None::<KernelError>));
    let take_part = || {
        let mut memory = MEMORY.take();
        loop {
            let item = lock(&items).next();
            let outcome = match item {
                Some(item) => {
                    let outcome = work(item, &mut memory);
                    left.fetch_sub(1, Ordering::Release);
                    outcome
                }
                None if left.load(Ordering::Acquire) == 0 => break,
                None => match spare.and_then(Spare::next) {
                    Some(job) => job(&mut memory),
                    None => break,
                },
            };
            if let Err(error) = outcome {
                lock(&failure).get_or_insert(error);
            }
        }
        MEMORY.set(memory);
    };
    rayon::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| take_part());
        }
        take_part();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// A thread that panicked has taken its item, and leaves the others as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pool<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }

    fn count<'a>(counter: &'a AtomicUsize) -> Job<'a> {
        Box::new(move |memory| {
            memory.grow(8);
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }

    #[test]
    fn every_item_and_every_job_is_done_once() {
        for threads in [1, 2, 5] {
            let (mut items, done) = ([0; 7], AtomicUsize::new(0));
            let spare = Spare::new((0..40).map(|_| count(&done)).collect());
            let work = |item: &mut i32| {
                *item += 1;
                Ok(())
            };
            in_pool(threads, || for_each(&mut items, &spare, work)).unwrap();
            let taken = done.load(Ordering::Relaxed);
            let rest: Vec<_> = spare.into_rest().collect();
            assert_eq!((items, taken + rest.len()), ([1; 7], 40));
            in_pool(threads, || run(rest)).unwrap();
            assert_eq!(done.load(Ordering::Relaxed), 40);
        }
    }

    /// The second thread runs jobs until the first has done what there is: it ends only then.
    #[test]
    fn who_would_wait_runs_jobs() {
        let done = AtomicUsize::new(0);
        let spare = Spare::new((0..40).map(|_| count(&done)).collect());
        let mut items = [true, false];
        let wait = |slow: &mut bool| {
            while *slow && done.load(Ordering::Relaxed) < 40 {
                std::thread::yield_now();
            }
            Ok(())
        };
        in_pool(2, || for_each(&mut items, &spare, wait)).unwrap();
        assert_eq!(spare.into_rest().len(), 0);
    }

    #[test]
    fn an_error_is_told_and_the_others_are_done_nevertheless() {
        let done = AtomicUsize::new(0);
        let fails: Job<'_> = Box::new(|_| Err(KernelError::Probability { p: 2.0 }));
        let outcome = in_pool(2, || run(vec![count(&done), fails, count(&done)]));
        assert!(matches!(outcome, Err(KernelError::Probability { .. })));
        assert_eq!(done.load(Ordering::Relaxed), 2);
    }
}
