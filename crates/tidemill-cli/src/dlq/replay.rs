//! `tidemill dlq replay`: gives the records back, for a program to read again.

use super::letters::{Numbered, chosen, letters};
use crate::{
    Failure,
    output::{print, print_json},
};
use clap::Args;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
};

/// Writes the records of dead letters as lines, to the standard output or as a new file of a folder.
///
/// The letters stay in the checkpoint. Records that are no text, or of which only a part was kept, are refused by their
/// numbers, and nothing is written then.
#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// The checkpoint: a folder or URL.
    place: String,
    /// The numbers of the letters, as `ls` tells them; all if none is given.
    #[arg(value_name = "N")]
    numbers: Vec<usize>,
    /// The folder that the file appears in at once, as file streams need it.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// For programs: letters as JSON, or what was written where.
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let letters = chosen(letters(&self.place)?, &self.numbers)?;
        if self.json && self.into.is_none() {
            return print_json(&letters.iter().map(Numbered::json).collect::<Vec<_>>()).map(|()| 0);
        }
        let lines = lines(&letters)?;
        let Some(folder) = &self.into else { return print(&lines).map(|()| 0) };
        let file = if letters.is_empty() { None } else { Some(self.write(folder, &lines)?) };
        let name = file.as_ref().map(|file| file.display().to_string());
        if self.json {
            return print_json(&serde_json::json!({ "file": name, "letters": letters.len() })).map(|()| 0);
        }
        let told = match name {
            Some(name) => format!("{} records are in \"{name}\"\n", letters.len()),
            None => "there are no dead letters\n".to_owned(),
        };
        print(told.as_bytes()).map(|()| 0)
    }

    fn write(&self, folder: &Path, lines: &[u8]) -> Result<PathBuf, Failure> {
        publish(folder, lines)
            .map_err(|error| Failure::new(1, format!("cannot write into \"{}\": {error}", folder.display())))
    }
}

/// One line for each record.
fn lines(letters: &[Numbered]) -> Result<Vec<u8>, Failure> {
    let numbers = |test: &dyn Fn(&Numbered) -> bool| -> Vec<String> {
        letters.iter().filter(|numbered| test(numbered)).map(|numbered| numbered.number.to_string()).collect()
    };
    let refuse = |numbers: Vec<String>, why: &str| match numbers.as_slice() {
        [] => Ok(()),
        _ => {
            Err(Failure::new(1, format!("{why}: dead letters {}; choose others by their numbers", numbers.join(", "))))
        }
    };
    refuse(numbers(&|numbered| !numbered.letter.is_whole()), "only a part was kept of some records")?;
    let is_no_line = |numbered: &Numbered| numbered.letter.text.as_ref().is_none_or(|text| text.contains('\n'));
    refuse(numbers(&is_no_line), "some records are no lines of text")?;
    let payloads = letters.iter().map(|numbered| numbered.letter.payload());
    Ok(payloads.flat_map(|payload| [payload.into_owned(), b"\n".to_vec()].concat()).collect())
}

/// A new file, which is there whole or not at all, and in the place of none.
fn publish(folder: &Path, lines: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".replay-{}", process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    let written = file.write_all(lines).and_then(|()| file.sync_all()).and_then(|()| link(folder, &temporary));
    fs::remove_file(&temporary)?;
    let path = written?;
    File::open(folder)?.sync_all()?;
    Ok(path)
}

fn link(folder: &Path, temporary: &Path) -> io::Result<PathBuf> {
    for number in 1_u32.. {
        let path = folder.join(format!("replay-{number}.txt"));
        match fs::hard_link(temporary, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => return linked.map(|()| path),
        }
    }
    Err(io::Error::other("there is no free name"))
}
