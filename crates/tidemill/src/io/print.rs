//! Prints the first records of each batch, in Spark's layout.

use crate::{
    base::{Data, Error, Result, Show, Time},
    dstream::DStream,
    rdd::{Rdd, Site},
};
use std::io::{self, Write};

const RULE: &str = "-------------------------------------------";

impl<T: Data + Show> DStream<T> {
    /// Prints the first `n` records of each batch to standard output, under a header with the batch time.
    ///
    /// Prints the header of an empty batch too, and `...` where there are more than `n` records. At-least-once.
    ///
    /// # Examples
    /// ```no_run
    /// use tidemill::{StreamingContext, seconds};
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// ssc.socket_text_stream("localhost", 9999).print(10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn print(&self, n: usize) {
        let site = Site::here("print");
        self.output(site, move |rdd, time| {
            let head = rdd.take_at(site, n + 1)?;
            print_on_driver(&rdd, |out| write_batch(out, time, &head, n))
        });
    }
}

/// Writes to standard output, in the process that drives only. A closed pipe ends the program quietly, as `head` wants.
fn print_on_driver<T: Data>(rdd: &Rdd<T>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if rdd.session().runner().process().0 != 0 {
        return Ok(());
    }
    let mut text = Vec::new();
    write(&mut text).map_err(Error::from)?;
    let mut out = io::stdout().lock();
    match out.write_all(&text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(|error| Error::from(error).context("could not print a batch")),
    }
}

/// Writes a batch as Spark's `print` does.
pub(crate) fn write_batch<T: Show>(out: &mut dyn Write, time: Time, head: &[T], n: usize) -> io::Result<()> {
    writeln!(out, "{RULE}\nTime: {time}\n{RULE}")?;
    for record in head.iter().take(n) {
        writeln!(out, "{}", record.shown())?;
    }
    if head.len() > n {
        writeln!(out, "...")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests;
