//! The `tidemill` command. One file per subcommand; this one only chooses between them.

mod checkpoint;
mod dlq;
mod generate;
mod launch;
mod output;
mod place;

use clap::{Parser, Subcommand};
use std::{ffi::OsString, process::ExitCode};

/// Runs and looks after tidemill programs.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Launch(launch::Launch),
    #[command(subcommand)]
    Checkpoint(checkpoint::Checkpoint),
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    Gen(generate::Gen),
}

/// What a subcommand ends with if it could not do its work at all.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<tidemill::Error> for Failure {
    fn from(error: tidemill::Error) -> Self {
        Self::new(1, error.to_string())
    }
}

/// Runs the subcommand that the command line names.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()))
}

/// Runs the subcommand that `arguments` name, the first of which is the program's name; the code to exit with.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to the parser too, of code 0.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    tidemill_store::register();
    let outcome = match cli.command {
        Command::Launch(launch) => launch.run(),
        Command::Checkpoint(command) => command.run(),
        Command::Dlq(command) => command.run(),
        Command::Gen(command) => command.run(),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("tidemill: {}", failure.message);
        failure.code
    })
}
