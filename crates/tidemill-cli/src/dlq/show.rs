//! `tidemill dlq show`: all that is known of dead letters.

use super::letters::{Numbered, chosen, hexadecimal, letters};
use crate::{
    Failure,
    output::{print, print_json, printable},
};
use clap::Args;
use tidemill::checkpoint::utc;

/// Shows dead letters with all that is known of them.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The checkpoint: a folder or URL.
    place: String,
    /// The number of the letter, as `ls` tells it, or all.
    #[arg(default_value = "all", value_parser = which)]
    number: Which,
    /// For programs.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug)]
enum Which {
    All,
    One(usize),
}

fn which(text: &str) -> Result<Which, String> {
    match text {
        "all" => Ok(Which::All),
        number => number.parse().map(Which::One).map_err(|_| "give a number or \"all\"".to_owned()),
    }
}

impl Show {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let numbers = match self.number {
            Which::All => Vec::new(),
            Which::One(number) => vec![number],
        };
        let letters = chosen(letters(&self.place)?, &numbers)?;
        if self.json {
            return print_json(&letters.iter().map(Numbered::json).collect::<Vec<_>>()).map(|()| 0);
        }
        let texts: Vec<_> = letters.iter().map(text).collect();
        print(texts.join("\n").as_bytes())?;
        Ok(0)
    }
}

fn text(numbered: &Numbered) -> String {
    let letter = &numbered.letter;
    let kept = if letter.is_whole() { "" } else { ", of which a part is kept" };
    let lines = [
        ("dead letter", numbered.number.to_string()),
        ("file", numbered.file.clone()),
        ("batch", format!("{} ms ({})", letter.batch_time.as_ms(), utc(letter.batch_time))),
        ("operation", letter.operator.clone()),
        ("source", numbered.source()),
        ("partition", format!("{}, record {} of it", letter.partition, letter.record)),
        ("error", letter.error.clone()),
        ("length", format!("{} bytes{kept}", letter.record_bytes)),
        match &letter.text {
            Some(text) => ("text", text.clone()),
            None => ("bytes", hexadecimal(&letter.bytes)),
        },
    ];
    lines.iter().map(|(name, value)| format!("{name:<12} {}\n", printable(value))).collect()
}
