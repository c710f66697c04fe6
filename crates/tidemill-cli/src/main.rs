//! The `tidemill` command; all of it is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidemill_cli::main()
}
