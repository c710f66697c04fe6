//! A server of endless text on a loopback port, so that an example needs nothing else to run.

use crate::base::{Error, Interrupt, Result};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    fmt::Write as _,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread::JoinHandle,
    time::Duration,
};

/// Words in the order in which they are common; the first is the most common one.
const WORDS: &str = "the tide turns and mill wheel water runs stone grain flour sea moon river stream batch window \
                     state key value count join sink source clock driver worker partition record shuffle";

/// Lines that are written at once, this often a second.
const BURSTS_PER_SECOND: u32 = 20;

/// Serves lines of made-up text to everyone who connects, at a steady rate, the same text in every run.
///
/// # Examples
/// ```
/// use std::io::{BufRead, BufReader};
/// use tidemill::testing::TextServer;
/// let server = TextServer::start(1_000)?;
/// let mut line = String::new();
/// BufReader::new(std::net::TcpStream::connect(server.address())?).read_line(&mut line)?;
/// assert!(line.contains(' '));
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Debug)]
pub struct TextServer {
    address: SocketAddr,
    stop: Interrupt,
    thread: Option<JoinHandle<()>>,
}

impl TextServer {
    /// Starts to serve `lines_per_second` on a free port of the loopback address.
    ///
    /// # Errors
    /// If no port or thread can be had.
    pub fn start(lines_per_second: u32) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let (address, stop) = (listener.local_addr()?, Interrupt::new());
        let until = stop.clone();
        let thread = std::thread::Builder::new()
            .name("tidemill-text-server".into())
            .spawn(move || serve(&listener, lines_per_second, &until))
            .map_err(|error| Error::from(error).context("the thread of the text server could not be started"))?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host and port given as the first two arguments of the program; without arguments those of a server that is
    /// started now and lives as long as the process.
    ///
    /// # Errors
    /// A port that is no number; a server that cannot be started.
    pub fn address_from_args() -> Result<(String, u16)> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match arguments.as_slice() {
            [host, port, ..] => {
                let parsed = port.parse();
                let number = parsed
                    .map_err(|_| Error::invalid(format!("the port \"{port}\" is not a number from 0 to 65535")))?;
                Ok((host.clone(), number))
            }
            [_] => Err(Error::invalid("a host was given without a port; give HOST PORT, or nothing")),
            [] => {
                let server = Self::start(2_000)?;
                let address = server.address();
                std::mem::forget(server);
                Ok((address.ip().to_string(), address.port()))
            }
        }
    }
}

impl Drop for TextServer {
    fn drop(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, lines_per_second: u32, stop: &Interrupt) {
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut random = StdRng::seed_from_u64(1);
    let mut clients: Vec<TcpStream> = Vec::new();
    while !stop.wait_timeout(Duration::from_secs(1) / BURSTS_PER_SECOND) {
        while let Ok((client, _)) = listener.accept() {
            // A client that does not read in time is let go, so that it holds up no other.
            let prepared =
                client.set_nonblocking(false).and_then(|()| client.set_write_timeout(Some(Duration::from_secs(1))));
            clients.extend(prepared.is_ok().then_some(client));
        }
        let lines = lines_per_second.div_ceil(BURSTS_PER_SECOND);
        let text = (0..lines).fold(String::new(), |mut text, _| {
            write_line(&mut text, &words, &mut random);
            text
        });
        clients.retain_mut(|client| client.write_all(text.as_bytes()).is_ok());
    }
}

/// Appends a line of three to ten words; a word is the rarer the further back it stands.
fn write_line(text: &mut String, words: &[&str], random: &mut StdRng) {
    let count = random.random_range(3..=10);
    for index in 0..count {
        let skewed = random.random_range(0.0f64..1.0).powi(2);
        let word = words[(skewed * words.len() as f64) as usize];
        let separator = if index + 1 == count { '\n' } else { ' ' };
        let _ = write!(text, "{word}{separator}");
    }
}
