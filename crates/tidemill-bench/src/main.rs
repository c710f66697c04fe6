//! Prints every figure that tidemill is to reach, with the loop by hand beside it: all of them, or those named as
//! arguments. Run it with `--release` on a machine that does nothing else.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use tidemill::Result;
use tidemill_bench::{measure::Table, ours::*};

type Benchmark = fn(&mut Table) -> Result<()>;

const BENCHMARKS: &[(&str, Benchmark)] = &[
    ("words", text::words),
    ("workers", text::workers),
    ("grep", text::search),
    ("socket", socket::socket),
    ("windows", keyed::windows),
    ("states", keyed::states),
    ("job", text::small_job),
    ("latency", latency::latency),
    ("empty", batches::empty),
    ("start", batches::start),
    ("memory", batches::memory),
    ("checkpoint", recovery::checkpoint),
    ("restart", recovery::restart),
    ("commit", recovery::commit),
    ("bounded", recovery::bounded),
    ("kafka-words", kafka::words),
    ("kafka-copies", kafka::copies),
    ("kafka-latency", kafka::latency),
];

fn main() -> Result<()> {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = BENCHMARKS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(tidemill::Error::invalid(format!(
            "there is no benchmark \"{unknown}\"; there are: {}",
            names.join(", ")
        )));
    }
    println!("{}", process::machine());
    let mut table = Table::new();
    for (name, run) in BENCHMARKS {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            run(&mut table)?;
        }
    }
    println!("{} goals missed", table.missed());
    Ok(())
}
