//! `tidemill launch`: the same program on several processes of this machine.

mod watch;

use crate::Failure;
use clap::Args;
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    net::TcpListener,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::Duration,
};
use tidemill::engine::cluster::{ClusterConfig, Secret};
use watch::Children;

/// What a shell ends with for a program that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;
const SECRET_BYTES: usize = 32;

/// Runs the same program on several processes of this machine, as one cluster.
///
/// The processes find each other through the environment (TIDEMILL_PROCESSES and others). Process 0 reads the
/// standard input; all write to the same standard output. SIGINT and SIGTERM are passed on to all of them. When one
/// fails, the others have a second to end before they are killed. The exit code is 0 if all succeeded, otherwise that
/// of the first that failed: 128 and the signal's number for one that a signal ended, 124 after the timeout.
#[derive(Args, Debug)]
pub(crate) struct Launch {
    /// How many processes.
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    processes: u16,

    /// Worker threads of each process.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,

    /// Ends all processes after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,

    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    program: Vec<OsString>,
}

impl Launch {
    /// Runs the processes until all have ended.
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let ports = self.reserve_ports().map_err(|e| Failure::new(1, format!("cannot find free ports: {e}")))?;
        let addresses = ports.iter().map(|port| port.local_addr().map(|address| address.to_string()));
        let addresses = addresses.collect::<io::Result<_>>().map_err(|e| Failure::new(1, e.to_string()))?;
        let secret = random_secret().map_err(|e| Failure::new(1, format!("cannot make a secret: {e}")))?;
        let config = ClusterConfig::loopback(addresses, 0)?.with_workers(self.threads.into())?.with_secret(secret)?;
        let mut children = Children::new().map_err(|e| Failure::new(1, format!("cannot watch for signals: {e}")))?;
        for (index, port) in ports.into_iter().enumerate() {
            let mut command = self.command(&config, index)?;
            // Held to the last moment, so that nobody else gets the port. Only later processes dial this one.
            drop(port);
            let child = command.spawn().map_err(|error| self.not_started(&error))?;
            children.add(child);
        }
        Ok(children.watch(self.timeout.map(Duration::from_secs)))
    }

    fn reserve_ports(&self) -> io::Result<Vec<TcpListener>> {
        (0..self.processes).map(|_| TcpListener::bind("127.0.0.1:0")).collect()
    }

    fn command(&self, config: &ClusterConfig, index: usize) -> Result<Command, Failure> {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]).envs(config.to_vars(index)?);
        // A group of its own, or a Ctrl-C would reach it twice: from the terminal and from here.
        command.process_group(0);
        if index > 0 {
            command.stdin(Stdio::null());
        }
        Ok(command)
    }

    fn not_started(&self, error: &io::Error) -> Failure {
        let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE };
        Failure::new(code, format!("cannot start \"{}\": {error}", self.program[0].to_string_lossy()))
    }
}

fn random_secret() -> io::Result<Secret> {
    let mut bytes = [0_u8; SECRET_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}
