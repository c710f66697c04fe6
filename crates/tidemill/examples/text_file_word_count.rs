//! Counts the words of files that are moved into a directory. Argument: DIRECTORY, or nothing to write files itself.

use std::{fs, path::PathBuf, thread};
use tidemill::{Interrupt, Result, StreamingContext, seconds};

/// A directory into which a file of text is moved every second.
fn self_filling_directory() -> Result<PathBuf> {
    let directory = std::env::temp_dir().join(format!("tidemill-files-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let into = directory.clone();
    let fill = move || -> std::io::Result<()> {
        for number in 0.. {
            // Written under a hidden name and moved, so that no batch sees half a file.
            let hidden = into.join(".writing");
            fs::write(&hidden, format!("file {number} says that the mill runs\nand the tide turns\n").repeat(100))?;
            fs::rename(&hidden, into.join(format!("{number}.txt")))?;
            Interrupt::new().wait_timeout(seconds(1));
        }
        Ok(())
    };
    thread::Builder::new().name("file-writer".into()).spawn(fill)?;
    Ok(directory)
}

fn main() -> Result<()> {
    let given = std::env::args().nth(1).map(PathBuf::from);
    let directory = given.clone().map_or_else(self_filling_directory, Ok)?;
    let ssc = StreamingContext::local(2, seconds(1))?;
    ssc.text_file_stream(directory.display().to_string())
        .flat_map(|line| line.split(' '))
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
        .print(10);
    ssc.start()?;
    let ended = ssc.await_termination();
    if given.is_none() {
        fs::remove_dir_all(&directory)?;
    }
    ended
}
