//! What is worth to be told of a checkpoint, and what to do about it.

use super::{
    super::{entry::log_number, facts::Found},
    FileFound, FileStatus, Finding, Inspection, Severity,
    look::Look,
};

const BRING_BACK: &str = "bring the file back from a copy";
const GOES_ON: &str =
    "bring the file back from a copy before the program starts; otherwise it goes on from what came before it";

pub(super) fn findings(look: &Look<'_>, found: &Inspection) -> Vec<Finding> {
    let mut findings: Vec<_> = found.files.iter().filter_map(|file| look.finding(file)).collect();
    let mut tell = |severity, what: String, to_do: &str| {
        findings.push(Finding { severity, file: String::new(), what, to_do: to_do.to_owned() });
    };
    if let Some(error) = &look.undecided {
        tell(Severity::Error, error.to_string(), "");
    }
    if look.has_leftovers() {
        let to_do = "bring the log back from a copy, or give the program another checkpoint directory";
        tell(Severity::Error, "there are files of state, but no file of the log".into(), to_do);
    }
    let cut = look.decision.cut.is_some();
    for warning in &look.decision.warnings {
        tell(if cut { Severity::Error } else { Severity::Warning }, warning.clone(), "");
    }
    if let Some((epoch, driver)) = look.decision.last_driver.as_ref().filter(|_| !look.decision.closed) {
        let what = format!("the checkpoint was not closed by {}, start {epoch}: it runs, or was killed", driver.owner);
        tell(Severity::Info, what, "");
    }
    if !found.unfinished.is_empty() {
        let what = format!("{} batches that were picked are not done; a restart runs them", found.unfinished.len());
        tell(Severity::Info, what, "");
    }
    let garbage = found.files.iter().filter(|file| file.status == FileStatus::Garbage);
    let (count, bytes) = garbage.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.bytes));
    if count > 0 {
        let what = format!("{count} files of {bytes} bytes are not needed any more");
        tell(Severity::Info, what, "nothing; the program removes them while it runs");
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

impl Look<'_> {
    fn finding(&self, file: &FileFound) -> Option<Finding> {
        if file.status != FileStatus::Damaged {
            return None;
        }
        let (severity, to_do) = match log_number(&file.name) {
            Some(number) if self.is_no_loss(number) => (Severity::Warning, "nothing; what was in it is elsewhere too"),
            Some(_) => (Severity::Error, GOES_ON),
            None if file.name.starts_with("dead-letters/") => (Severity::Warning, BRING_BACK),
            None => (Severity::Error, GOES_ON),
        };
        Some(Finding { severity, file: file.name.clone(), what: file.what.clone(), to_do: to_do.to_owned() })
    }

    /// Whether nothing is lost with a file of the log that cannot be read.
    fn is_no_loss(&self, number: u64) -> bool {
        let newest = self.decision.manifests.last().copied();
        let is_before = self.undecided.is_none() && newest.is_some_and(|newest| number < newest);
        is_before || matches!(self.logs.get(&(number + 1)), Some(Found::Whole(file)) if file.after_note)
    }
}
