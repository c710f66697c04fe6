//! The directory of rolling files: what a plan does on the disk, and what a restart finds there.

use super::{
    options::RollingOptions,
    plan::{OpenFile, Place, Planned},
};
use crate::base::{
    Error, Result, Time,
    durable::durable_step,
    files::{
        open, paths, refused,
        staging::{make_directory, withdraw},
        unique,
        write::sync_directory,
    },
};
use std::{
    fmt, fs,
    fs::OpenOptions,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// How the hidden names of open files end, and of files that partitions wrote.
const OPEN: &str = ".open";
const PIECES: &str = ".pieces";

pub(super) struct Folder {
    path: PathBuf,
    pub(super) options: RollingOptions,
    /// What final names end with.
    tail: String,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.path.join(self.name(Time::from_ms(0), 0)).display())
    }
}

/// How long a file is, if it is there.
fn length(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if paths::is_missing(&error) => Ok(None),
        Err(error) => Err(refused("look at", path, error)),
    }
}

impl Folder {
    pub(super) fn new(directory: &str, options: RollingOptions, suffix: &str) -> Result<Self> {
        options.check()?;
        let suffix = options.suffix.as_deref().unwrap_or(suffix);
        let mut tail = if suffix.is_empty() { String::new() } else { format!(".{suffix}") };
        if let Some(codec) = options.codec {
            tail = format!("{tail}.{}", codec.extension());
        }
        Ok(Self { path: paths::without_scheme(directory)?.into(), options, tail })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn hidden(&self, planned: &Planned) -> PathBuf {
        self.path(&planned.file.hidden)
    }

    fn dash(&self) -> &'static str {
        if self.options.prefix.is_empty() { "" } else { "-" }
    }

    fn name(&self, first: Time, number: usize) -> String {
        format!("{}{}{}-{number:05}{}", self.options.prefix, self.dash(), first.as_ms(), self.tail)
    }

    /// The hidden and the final name of the `number`th file that begins with a batch.
    pub(super) fn names(&self, first: Time, number: usize) -> (String, String) {
        let name = self.name(first, number);
        (format!(".{name}.{}{OPEN}", unique()), name)
    }

    /// A new path for what a partition writes.
    pub(super) fn staged(&self, time: Time, partition: usize) -> PathBuf {
        self.path(&format!(".{}.{}{PIECES}", self.name(time, partition), unique()))
    }

    /// The first batch of a file, by its final name.
    fn first_of(&self, name: &str) -> Option<Time> {
        let name = name.strip_prefix(&self.options.prefix)?.strip_prefix(self.dash())?.strip_suffix(&self.tail)?;
        let (first, number) = name.split_once('-')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(first) && is_number(number)).then(|| first.parse().ok()).flatten().map(Time::from_ms)
    }

    /// The final name within a hidden one with this ending.
    fn within<'a>(&self, hidden: &'a str, ending: &str) -> Option<&'a str> {
        let (name, _unique) = hidden.strip_prefix('.')?.strip_suffix(ending)?.rsplit_once('.')?;
        self.first_of(name).map(|_| name)
    }

    /// Makes the directory, if it is not there.
    pub(super) fn ready(&self) -> Result<()> {
        make_directory(&self.path)
    }

    fn sync(&self) -> Result<()> {
        sync_directory(&self.path)
    }

    /// Makes new empty files, and durable what the plan relies on. A file that is missing later was finished, and taken away
    /// by a reader: so it must be there before the batch is done.
    pub(super) fn make(&self, files: &[PathBuf], plan: &[Planned]) -> Result<()> {
        for path in files {
            let made = OpenOptions::new().write(true).create_new(true).open(path).and_then(|file| file.sync_all());
            made.map_err(|error| refused("make", path, error))?;
            durable_step("rolling: file made");
        }
        if plan.iter().any(|planned| !planned.additions.is_empty()) {
            self.sync()?;
            durable_step("rolling: prepared");
        }
        Ok(())
    }

    pub(super) fn remove(&self, files: Vec<PathBuf>) {
        for file in files {
            // An empty hidden file that stays does no harm.
            let _ = fs::remove_file(file);
        }
    }

    /// Does what was planned, as far as it is not done yet; the file that is open then.
    pub(super) fn carry_out(&self, plan: &[Planned]) -> Result<Option<OpenFile>> {
        let mut open = None;
        for planned in plan {
            let there = self.add(planned)?;
            open = (there && !planned.ends).then(|| planned.file.clone());
            if there && planned.ends {
                self.rename(&planned.file)?;
            }
        }
        if plan.iter().any(|planned| planned.ends) {
            self.sync()?;
            durable_step("rolling: names synced");
        }
        for place in plan.iter().flat_map(|planned| &planned.additions).map(|addition| &addition.place) {
            if let Place::Staged(name) = place {
                let _ = fs::remove_file(self.path(name));
            }
        }
        durable_step("rolling: pieces removed");
        Ok(open)
    }

    /// Copies what is added to its offset; false if the file is finished already.
    fn add(&self, planned: &Planned) -> Result<bool> {
        let path = self.hidden(planned);
        let Some(found) = length(&path)? else { return self.finished(&planned.file) };
        let mut end = planned.before;
        if found < end {
            return Err(self.damaged(&path, found, end));
        }
        if planned.additions.is_empty() {
            return Ok(true);
        }
        let writing = |error| refused("write", &path, error);
        let mut file = OpenOptions::new().write(true).open(&path).map_err(writing)?;
        for addition in &planned.additions {
            file.seek(SeekFrom::Start(end)).map_err(writing)?;
            end += addition.bytes;
            let copied = match &addition.place {
                Place::Inline(bytes) => file.write_all(bytes).map(|()| bytes.len() as u64).map_err(writing)?,
                Place::Staged(name) if length(&self.path(name))?.is_none() && found >= end => addition.bytes,
                Place::Staged(name) => {
                    let mut from = open(&self.path(name))?;
                    from.seek(SeekFrom::Start(addition.from)).map_err(writing)?;
                    io::copy(&mut from.take(addition.bytes), &mut file).map_err(writing)?
                }
            };
            if copied != addition.bytes {
                return Err(self.damaged(&path, end - addition.bytes + copied, end));
            }
            durable_step("rolling: piece added");
        }
        // If it fails and is tried again, all that is to be synced has been written anew.
        file.sync_all().map_err(writing)?;
        durable_step("rolling: file synced");
        Ok(true)
    }

    /// Checks a file that is not open any more; always false.
    fn finished(&self, file: &OpenFile) -> Result<bool> {
        let path = self.path(&file.name);
        match length(&path)? {
            Some(found) if found != file.bytes => Err(self.damaged(&path, found, file.bytes)),
            Some(_) => Ok(false),
            None => {
                tracing::warn!(
                    file = %path.display(),
                    "a finished file is not there any more; if no reader took it away, what it held is lost"
                );
                Ok(false)
            }
        }
    }

    fn damaged(&self, path: &Path, found: u64, expected: u64) -> Error {
        Error::data(format!(
            "the file \"{}\" has {found} bytes where {expected} were written; restore it, or write to another directory",
            path.display()
        ))
    }

    /// Gives a file its final name.
    fn rename(&self, file: &OpenFile) -> Result<()> {
        let (hidden, path) = (self.path(&file.hidden), self.path(&file.name));
        if length(&path)?.is_some() {
            if length(&hidden)?.is_none() {
                // Another driver was first, with the same.
                return Ok(());
            }
            return Err(Error::invalid(format!(
                "the file \"{}\" exists already and is not of this run; move it away, or choose another directory or prefix",
                path.display()
            )));
        }
        match fs::rename(&hidden, &path) {
            Err(error) if !paths::is_missing(&error) || length(&path)?.is_none() => {
                Err(refused("rename", &hidden, error))
            }
            _ => {
                durable_step("rolling: file named");
                Ok(())
            }
        }
    }

    /// Finishes the file that is open at the end of the program. The next start finds it by its name.
    pub(super) fn end(&self, open: Option<&OpenFile>) -> Result<()> {
        let Some(file) = open else { return Ok(()) };
        self.rename(file)?;
        self.sync()?;
        durable_step("rolling: closed");
        Ok(())
    }

    /// Puts aside finished files that begin after `time`, the last batch that the log knows.
    pub(super) fn withdraw_after(&self, time: Time) -> Result<()> {
        for name in self.listed()? {
            if self.first_of(&name).is_some_and(|first| first > time) {
                self.put_aside(&name)?;
            }
        }
        Ok(())
    }

    fn put_aside(&self, name: &str) -> Result<()> {
        let now = withdraw(&self.path(name))?;
        tracing::warn!(
            file = %self.path(name).display(),
            now = %now.display(),
            "a file holds batches that the checkpoint does not know of; it is renamed, and they run again"
        );
        Ok(())
    }

    /// Brings a file back to what it was after a batch, if it went on from there in batches that the log has forgotten.
    pub(super) fn cut_back(&self, planned: &Planned) -> Result<()> {
        let file = &planned.file;
        let (hidden, named) = (self.path(&file.hidden), self.path(&file.name));
        let (open, finished) = (length(&hidden)?, length(&named)?);
        if open.is_some_and(|bytes| bytes > file.bytes) {
            self.copy(&hidden, file)?;
        } else if open.is_none() && finished.is_some_and(|bytes| bytes > file.bytes) {
            self.copy(&named, file)?;
        }
        if finished.is_some() && length(&hidden)?.is_some() {
            self.put_aside(&file.name)?;
        }
        Ok(())
    }

    /// Makes the open file anew from the first bytes of another, which may still be written to.
    fn copy(&self, from: &Path, file: &OpenFile) -> Result<()> {
        let temporary = self.staged(file.first, 0);
        let copying = |error| refused("copy", from, error);
        let mut to = OpenOptions::new().write(true).create_new(true).open(&temporary).map_err(copying)?;
        let copied = io::copy(&mut open(from)?.take(file.bytes), &mut to).and_then(|_| to.sync_all());
        copied.map_err(copying)?;
        durable_step("rolling: file copied");
        fs::rename(&temporary, self.path(&file.hidden)).map_err(copying)?;
        durable_step("rolling: copy named");
        self.sync()
    }

    /// Removes what attempts left that nothing came of. An open file that has something in it and is not known is put
    /// aside: it was written by a program whose checkpoint is gone.
    pub(super) fn sweep(&self, open: Option<&OpenFile>) -> Result<()> {
        for name in self.listed()? {
            let path = self.path(&name);
            let unknown = self.within(&name, OPEN).is_some() && open.is_none_or(|file| file.hidden != name);
            if unknown && length(&path)?.unwrap_or_default() > 0 {
                self.put_aside(&name)?;
            } else if unknown || self.within(&name, PIECES).is_some() {
                self.remove(vec![path]);
                durable_step("rolling: leftover removed");
            }
        }
        Ok(())
    }

    fn listed(&self) -> Result<Vec<String>> {
        let names = paths::children(&self.path)?;
        Ok(names.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }
}
