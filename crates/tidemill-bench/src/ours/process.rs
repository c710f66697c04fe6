//! What the process holds, as the system tells it: memory, threads, descriptors.

use std::fmt;

/// A look at what this process holds.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Resident memory, in kilobytes.
    pub resident_kb: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Held {
    /// What it holds now; zeros where the system does not tell.
    pub fn now() -> Self {
        let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self { resident_kb: status("VmRSS:"), threads: status("Threads:"), descriptors }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} MB resident, {} threads, {} descriptors",
            megabytes(self.resident_kb),
            self.threads,
            self.descriptors
        )
    }
}

/// The largest resident memory since [`forget_peak`], in kilobytes.
pub fn peak_kb() -> u64 {
    status("VmHWM:")
}

/// Starts to measure the peak anew, where the system allows it.
pub fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Kilobytes as megabytes.
pub fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 / 1024.0
}

fn status(field: &str) -> u64 {
    number_after(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), field)
}

fn number_after(text: &str, field: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The machine in one line: processor, cores, load.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown");
    format!("{}, {cores} cores, load {load}", model.trim_start_matches([' ', '\t', ':']))
}
