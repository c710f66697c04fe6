//! Counts records by key, exactly once: reads files of `id key` lines, and writes `id key count` lines, where count is the
//! record's number among those of its key. Arguments: IN OUT CHECKPOINT, or nothing to write files itself.
//!
//! Files are renamed into IN, before or while it runs. Kill the program as often as you like: started again with the same arguments it goes on as
//! if nothing had happened. Names in OUT that begin with `.` or `_` are not data.

use std::{fs, path::Path, process::ExitCode, thread};
use tidemill::{
    Error, Interrupt, Result, State, StateSpec, StreamingContext, Text,
    io::{FileStreamOptions, RollingOptions},
    milliseconds, seconds,
};

/// The key of a record, and its id.
fn record(line: Text) -> Result<(Text, Text)> {
    let mut fields = line.split(' ');
    match (fields.next(), fields.next(), fields.next()) {
        (Some(id), Some(key), None) => Ok((key, id)),
        _ => Err(Error::data(format!("\"{line}\" is not an id and a key"))),
    }
}

/// The record with its number among those of its key, from 1.
fn number(key: &Text, id: Option<Text>, count: &mut State<u64>) -> String {
    let number = count.get_option().unwrap_or(&0) + 1;
    count.update(number);
    format!("{} {key} {number}", id.unwrap_or_default())
}

fn program([input, output, _]: &[String; 3]) -> Result<StreamingContext> {
    let ssc = StreamingContext::local(2, milliseconds(100))?;
    let records =
        ssc.text_file_stream_with(input.as_str(), FileStreamOptions::new().new_files_only(false)).try_map(record);
    let counted = records.map_with_state(StateSpec::function(number)).uid("counts");
    counted.save_as_rolling_files(output.as_str(), RollingOptions::new().max_age(seconds(1)));
    Ok(ssc)
}

fn run(directories: &[String; 3]) -> Result<()> {
    let ssc = StreamingContext::get_or_create(&directories[2], || program(directories))?;
    ssc.start()?;
    let ended = ssc.await_termination();
    println!("stopped after {}", ssc.progress());
    ended
}

/// Moves a file of some records into the directory every half second.
fn fill(directory: &Path) -> std::io::Result<()> {
    for number in 0..u64::MAX {
        let records: String = (1..=100).map(|n| format!("{} key{}\n", number * 100 + n, n % 7)).collect();
        let hidden = directory.join(".writing");
        fs::write(&hidden, records)?;
        fs::rename(&hidden, directory.join(format!("{number}.txt")))?;
        Interrupt::new().wait_timeout(milliseconds(500));
    }
    Ok(())
}

/// Directories for a try, the first of which fills itself.
fn directories_of_a_try(folder: &Path) -> Result<[String; 3]> {
    let input = folder.join("in");
    fs::create_dir_all(&input)?;
    let into = input.clone();
    thread::Builder::new().name("file-writer".into()).spawn(move || fill(&into))?;
    Ok([input, folder.join("out"), folder.join("checkpoint")].map(|path| path.display().to_string()))
}

fn main() -> ExitCode {
    if let Ok(given) = <[String; 3]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()) {
        return tidemill::exit(run(&given));
    }
    let folder = std::env::temp_dir().join(format!("tidemill-stateful-file-count-{}", std::process::id()));
    println!("counts files that it writes itself, below {}", folder.display());
    let ended = directories_of_a_try(&folder).and_then(|directories| run(&directories));
    tidemill::exit(ended.and(fs::remove_dir_all(&folder).map_err(Error::from)))
}
