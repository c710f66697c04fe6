//! Windows: at every slide, what came in the last so many batches.
//!
//! A window at `t` covers the batches with times in `(t - window, t]`; while the stream is young it is shorter, and a
//! window that is shorter than the slide leaves gaps. [`DStream::window`] joins the batches as they are; the windows
//! that reduce or group keep state and read every batch once, when it comes. A batch that failed is in no window.
//!
//! A checkpoint holds the batches that are in a window. A program that goes on from it may make the window longer or
//! shorter: it goes on with the batches that there are. Keys then come in another order.

mod entering;
mod grouped;
mod inverse;
mod panes;
mod reduce;
mod two_stacks;
mod whole;

use super::node::{DStream, ErasedStream, StreamOp, declared};
use crate::{
    base::{Data, Misuse, Result, Time, time::ms},
    rdd::{Rdd, Site},
};
use std::{sync::Arc, time::Duration};

/// How long a window is and how far apart windows are; both multiples of the slide of the stream they are over.
#[derive(Clone, Copy, Debug)]
struct Window {
    length: Duration,
    slide: Duration,
    /// The slide of the stream that the window is over.
    step: Duration,
}

impl Window {
    /// The window that a program asks for; without `slide` there is one for every batch of the parent.
    #[track_caller]
    fn over<T: Data>(parent: &DStream<T>, length: Duration, slide: impl Into<Option<Duration>>) -> Self {
        let step = parent.slide_duration();
        let window = Self { length, slide: slide.into().unwrap_or(step), step };
        declared(window.check());
        window
    }

    fn check(&self) -> Result<()> {
        for (what, duration) in [("window", self.length), ("slide", self.slide)] {
            let (given_ms, slide_ms) = (ms(duration), ms(self.step));
            if given_ms == 0 || !given_ms.is_multiple_of(slide_ms) {
                return Err(Misuse::NotMultiple { what, given_ms, slide_ms }.into());
            }
        }
        Ok(())
    }

    /// How many batches of the parent a full window covers.
    fn batches(&self) -> usize {
        (ms(self.length) / ms(self.step).max(1)) as usize
    }

    /// Whether the batch at `time` is part of any window of a stream that began at `zero`.
    fn covers(&self, time: Time, zero: Time) -> bool {
        let (elapsed_ms, slide_ms) = (ms(time.since(zero)), ms(self.slide));
        let next_end_ms = elapsed_ms.div_ceil(slide_ms) * slide_ms;
        elapsed_ms + ms(self.length) > next_end_ms
    }

    /// The latest time that has left a window at `time`.
    fn left_at(&self, time: Time) -> Option<Time> {
        time.as_ms().checked_sub(ms(self.length)).map(Time::from_ms)
    }
}

/// Every batch of the last so long, joined.
struct Windowed<T> {
    parent: DStream<T>,
    window: Window,
    site: Site,
}

impl<T: Data> StreamOp<T> for Windowed<T> {
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>> {
        vec![self.parent.erased()]
    }
    fn slide(&self) -> Duration {
        self.window.slide
    }
    fn looks_back(&self) -> Duration {
        self.window.length
    }
    fn compute(&self, time: Time) -> Result<Option<Rdd<T>>> {
        let first = self.window.left_at(time).map_or(Time::from_ms(0), |left| left + self.window.step);
        let zero = self.parent.graph().zero_time().unwrap_or_default();
        let mut rdds = Vec::with_capacity(self.window.batches());
        for batch in first.max(zero + self.window.step).to(time, self.window.step) {
            rdds.extend(self.parent.at(batch)?);
        }
        Ok(Some(Rdd::union_of(&self.parent.graph().session, self.site, rdds)))
    }
}

/// Every so manieth batch of a stream.
struct Slower<T> {
    parent: DStream<T>,
    slide: Duration,
}

impl<T: Data> StreamOp<T> for Slower<T> {
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>> {
        vec![self.parent.erased()]
    }
    fn slide(&self) -> Duration {
        self.slide
    }
    fn compute(&self, time: Time) -> Result<Option<Rdd<T>>> {
        self.parent.at(time)
    }
}

impl<T: Data> DStream<T> {
    /// The batches of the last `window`, joined, at every `slide`; without one (`None`), at every batch of this stream.
    ///
    /// Nothing is reduced: the partitions of the batches stand one after another, the oldest first, and batches without
    /// records add empty ones. This stream is kept in memory for as long as a window needs it, as if
    /// [`cache`](Self::cache) had been called; where a window is to be reduced or grouped, the operations made for that
    /// keep less.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![1], vec![2], vec![3]],
    ///     |numbers| numbers.window(seconds(2), None),
    ///     vec![vec![1], vec![1, 2], vec![2, 3], vec![3], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn window(&self, window: Duration, slide: impl Into<Option<Duration>>) -> DStream<T> {
        let (site, window) = (Site::here("window"), Window::over(self, window, slide));
        let stream = DStream::from_op(self.graph(), site, Windowed { parent: self.clone(), window, site });
        self.erased().keep_for_later();
        stream
    }

    /// This stream where a window slides faster than it should: its batches at every `slide`.
    #[track_caller]
    fn every(&self, site: Site, window: Window) -> DStream<T> {
        if window.slide == window.step {
            return self.clone();
        }
        DStream::from_op(self.graph(), site, Slower { parent: self.clone(), slide: window.slide })
    }
}

#[cfg(test)]
mod tests;
