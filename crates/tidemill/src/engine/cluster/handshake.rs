//! What two processes tell each other before anything else, and when one refuses the other.
//!
//! The one that dials says [`Hello`]; the one that listens judges it and answers with its own, or with a
//! [`Refusal`]. Until the secret has been compared the listener trusts nothing: lengths are limited before they are
//! used and the whole handshake has a deadline. A stranger is told that it is refused, and no reason but the first.

use super::{build::BuildId, config::ClusterConfig, config::Secret};
use crate::base::{Error, Interrupt, Result, clock::Stopwatch};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

const MAGIC: [u8; 8] = *b"tidemill";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 2 + 2;
const MAX_BODY_BYTES: usize = 1024;
/// How often a blocked read looks at its deadline and its interrupt.
const READ_POLL: Duration = Duration::from_millis(25);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    Data,
    Control,
}

/// Who a process is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) secret: Secret,
    pub(super) cluster: String,
    pub(super) purpose: Purpose,
    pub(super) index: u64,
    pub(super) processes: u64,
    pub(super) workers: u64,
    pub(super) build: BuildId,
}

impl Hello {
    pub(super) fn new(config: &ClusterConfig, build: BuildId, purpose: Purpose) -> Self {
        Self {
            secret: config.secret().clone(),
            cluster: config.id().to_string(),
            purpose,
            index: config.index() as u64,
            processes: config.processes() as u64,
            workers: config.workers() as u64,
            build,
        }
    }

    /// Why `self` and `peer` cannot be in one cluster, if so. The secret comes first: a stranger learns no more.
    pub(super) fn judge(&self, peer: &Hello) -> std::result::Result<(), Refusal> {
        if !self.secret.matches(&peer.secret) {
            return Err(Refusal::Secret);
        }
        let differences = [
            (self.cluster != peer.cluster, Refusal::Cluster),
            (self.processes != peer.processes, Refusal::Processes(peer.processes, self.processes)),
            (peer.index >= self.processes || peer.index == self.index, Refusal::Index(peer.index)),
            (self.workers != peer.workers, Refusal::Workers(peer.workers, self.workers)),
            (self.build != peer.build, Refusal::Build),
        ];
        match differences.into_iter().find(|(differs, _)| *differs) {
            Some((_, refusal)) => Err(refusal),
            None => Ok(()),
        }
    }
}

/// Why a process is not let in. Numbers are the dialling process's and then the listening one's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    Secret,
    Cluster,
    Processes(u64, u64),
    Index(u64),
    Workers(u64, u64),
    Build,
    Taken(u64),
}

impl Refusal {
    /// Whether whoever was refused knew the secret, so that its mistake concerns the whole cluster.
    pub(super) fn is_of_a_member(&self) -> bool {
        !matches!(self, Refusal::Secret | Refusal::Cluster)
    }

    /// The refusal in words, for `dialer` ("process 2") and `listener` ("process 0").
    pub(super) fn explain(&self, dialer: &str, listener: &str) -> Error {
        Error::invalid(match self {
            Refusal::Secret => {
                format!("{dialer} and {listener} have different secrets; set TIDEMILL_CLUSTER_SECRET alike")
            }
            Refusal::Cluster => {
                format!("{dialer} and {listener} belong to different clusters; set TIDEMILL_CLUSTER_ID alike")
            }
            Refusal::Processes(theirs, ours) => {
                format!("{dialer} knows of {theirs} processes but {listener} of {ours}; set TIDEMILL_PROCESSES alike")
            }
            Refusal::Index(index) => format!(
                "the index \"{index}\" of {dialer} does not fit {listener}; set TIDEMILL_PROCESS_INDEX to its place in TIDEMILL_PROCESSES"
            ),
            Refusal::Workers(theirs, ours) => {
                format!(
                    "{dialer} has {theirs} worker threads but {listener} has {ours}; give all processes the same number"
                )
            }
            Refusal::Build => {
                format!(
                    "{dialer} runs another build of the program than {listener}; start all processes from the same executable"
                )
            }
            Refusal::Taken(index) => {
                format!("there is a process \"{index}\" already; give every process an index of its own")
            }
        })
    }
}

/// The listening side's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Welcome(Hello),
    Refused(Refusal),
}

/// When a read has to give up.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    started: Stopwatch,
    limit: Duration,
    interrupt: Interrupt,
}

impl Deadline {
    pub(super) fn after(limit: Duration, interrupt: &Interrupt) -> Self {
        Self { started: Stopwatch::start(), limit, interrupt: interrupt.clone() }
    }

    /// The time that is left, but no more than `most`; `None` if there is none.
    pub(super) fn left(&self, most: Duration) -> Option<Duration> {
        let left = self.limit.checked_sub(self.started.elapsed()).filter(|left| !left.is_zero())?;
        (!self.interrupt.is_raised()).then(|| left.min(most))
    }

    /// The same deadline, which nothing ends early.
    pub(super) fn without_interrupt(&self) -> Self {
        Self { interrupt: Interrupt::new(), ..self.clone() }
    }

    /// Waits for `pause` in which somebody else may get ready; false once there is no time left.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        self.left(pause).is_some_and(|pause| !self.interrupt.wait_timeout(pause))
    }
}

/// Writes one message of the handshake.
pub(super) fn write(mut stream: &TcpStream, message: &impl Serialize) -> Result<()> {
    let body = postcard::to_stdvec(message).map_err(|e| Error::internal("cannot encode a handshake").with_source(e))?;
    let length = u16::try_from(body.len()).ok().filter(|length| usize::from(*length) <= MAX_BODY_BYTES);
    let length = length.ok_or_else(|| Error::internal("a handshake is too long"))?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&body);
    Ok(stream.write_all(&bytes)?)
}

/// Reads one message of the handshake, at most until the deadline, however slowly its bytes arrive.
pub(super) fn read<T: DeserializeOwned>(stream: &TcpStream, deadline: &Deadline) -> Result<T> {
    let mut header = [0; HEADER_BYTES];
    read_exact(stream, &mut header, deadline)?;
    let (magic, rest) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(Error::data("the other side does not speak tidemill's protocol"));
    }
    let version = u16::from_be_bytes([rest[0], rest[1]]);
    if version != VERSION {
        return Err(Error::invalid(format!(
            "the other side speaks version \"{version}\" of the protocol and this process version \"{VERSION}\"; run the same build everywhere"
        )));
    }
    let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
    if length > MAX_BODY_BYTES {
        return Err(Error::data(format!("a handshake of \"{length}\" bytes is too long")));
    }
    let mut body = vec![0; length];
    read_exact(stream, &mut body, deadline)?;
    postcard::from_bytes(&body).map_err(|e| Error::data("cannot decode a handshake").with_source(e))
}

fn read_exact(mut stream: &TcpStream, mut bytes: &mut [u8], deadline: &Deadline) -> Result<()> {
    while !bytes.is_empty() {
        let Some(left) = deadline.left(READ_POLL) else {
            return Err(Error::unavailable("the other side did not answer in time"));
        };
        stream.set_read_timeout(Some(left))?;
        match stream.read(bytes) {
            Ok(0) => return Err(Error::unavailable("the other side closed the connection")),
            Ok(n) => bytes = &mut bytes[n..],
            Err(e) if is_retry(e.kind()) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Whether a read ended for no other reason than that nothing has come yet.
pub(super) fn is_retry(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
