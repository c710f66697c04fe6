//! Who the processes of a cluster are, read from the environment.

use crate::base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, env, fmt, hint::black_box, net::IpAddr};

/// All addresses, `host:port` with commas between, in the order of the processes' indices.
const PROCESSES: &str = "TIDEMILL_PROCESSES";
/// This process's place in that list, from 0.
const INDEX: &str = "TIDEMILL_PROCESS_INDEX";
/// What every process has to know to be let in.
const SECRET: &str = "TIDEMILL_CLUSTER_SECRET";
/// The name of the cluster, so that two on one network are never mixed up.
const CLUSTER_ID: &str = "TIDEMILL_CLUSTER_ID";
/// Worker threads in each process.
const WORKERS: &str = "TIDEMILL_WORKERS";

/// A secret that is shorter than this can be guessed.
const MIN_SECRET_BYTES: usize = 16;
/// Together with the rest, a handshake has to fit into its limit.
const MAX_TEXT_BYTES: usize = 256;

/// Who the processes of a cluster are, and which of them this one is.
///
/// # Examples
/// ```
/// use tidemill::engine::cluster::ClusterConfig;
/// let variables = [
///     ("TIDEMILL_PROCESSES", "127.0.0.1:4001,127.0.0.1:4002"),
///     ("TIDEMILL_PROCESS_INDEX", "1"),
/// ];
/// let config = ClusterConfig::from_vars(|name| variables.iter().find(|v| v.0 == name).map(|v| v.1.to_string()))?;
/// assert_eq!(config.expect("the variables are set").address(), "127.0.0.1:4002");
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    addresses: Vec<String>,
    index: usize,
    id: String,
    secret: Secret,
    workers: usize,
}

impl ClusterConfig {
    /// The cluster that the environment describes; `None` if it describes none.
    ///
    /// Reads `TIDEMILL_PROCESSES` and `TIDEMILL_PROCESS_INDEX`, which go together; `TIDEMILL_CLUSTER_SECRET`, needed
    /// unless all addresses are loopback; `TIDEMILL_CLUSTER_ID`; and `TIDEMILL_WORKERS`, worker threads per process.
    ///
    /// # Errors
    /// `Invalid`, naming the variable and what to do.
    pub fn from_env() -> Result<Option<Self>> {
        for name in [PROCESSES, INDEX, SECRET, CLUSTER_ID, WORKERS] {
            if let Err(env::VarError::NotUnicode(_)) = env::var(name) {
                return Err(Error::invalid(format!("{name} is not valid UTF-8; set it to plain text")));
            }
        }
        Self::from_vars(|name| env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with the variables looked up by `lookup`. An empty variable counts as not set.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let lookup = |name| lookup(name).filter(|value| !value.trim().is_empty());
        let Some(processes) = lookup(PROCESSES) else {
            let alone = [INDEX, SECRET, CLUSTER_ID].into_iter().find(|name| lookup(name).is_some());
            return match alone {
                Some(name) => Err(Error::invalid(format!(
                    "{name} is set but {PROCESSES} is not; set both to run on several processes, or neither"
                ))),
                None => Ok(None),
            };
        };
        let addresses = processes.split(',').map(|address| address.trim().to_string()).collect();
        let Some(index) = lookup(INDEX) else {
            return Err(Error::invalid(format!(
                "{PROCESSES} is set but {INDEX} is not; set it to this process's place in the list, from 0"
            )));
        };
        let index = number(INDEX, &index)?;
        let mut config = Self::checked(addresses, index, Secret(lookup(SECRET).unwrap_or_default()))?;
        if let Some(id) = lookup(CLUSTER_ID) {
            config.id = checked_id(id)?;
        }
        if let Some(workers) = lookup(WORKERS) {
            config = config.with_workers(number(WORKERS, &workers)?)?;
        }
        Ok(Some(config))
    }

    /// A cluster on one machine, which needs no secret.
    ///
    /// # Errors
    /// `Invalid` if an address is not loopback or the index is out of range.
    pub fn loopback(addresses: Vec<String>, index: usize) -> Result<Self> {
        Self::checked(addresses, index, Secret::default())
    }

    /// The same cluster with another number of worker threads per process.
    ///
    /// # Errors
    /// `Invalid` if it is zero.
    pub fn with_workers(mut self, workers: usize) -> Result<Self> {
        if workers == 0 {
            return Err(Error::invalid(format!("{WORKERS} is \"0\"; a process needs at least 1 worker thread")));
        }
        self.workers = workers;
        Ok(self)
    }

    /// The same cluster with this secret.
    ///
    /// # Errors
    /// `Invalid` if the secret is too short or too long.
    pub fn with_secret(mut self, secret: Secret) -> Result<Self> {
        secret.check()?;
        self.secret = secret;
        Ok(self)
    }

    /// The same cluster under this id.
    ///
    /// # Errors
    /// `Invalid` if the id is too long.
    pub fn with_id(mut self, id: impl Into<String>) -> Result<Self> {
        self.id = checked_id(id.into())?;
        Ok(self)
    }

    /// The environment that describes this cluster to the process `index`; it contains the secret.
    ///
    /// # Errors
    /// `Invalid` if the index is out of range.
    pub fn to_vars(&self, index: usize) -> Result<Vec<(&'static str, String)>> {
        Self::checked(self.addresses.clone(), index, self.secret.clone())?;
        Ok(vec![
            (PROCESSES, self.addresses.join(",")),
            (INDEX, index.to_string()),
            (SECRET, self.secret.0.clone()),
            (CLUSTER_ID, self.id.clone()),
            (WORKERS, self.workers.to_string()),
        ])
    }

    fn checked(addresses: Vec<String>, index: usize, secret: Secret) -> Result<Self> {
        let mut seen = HashSet::new();
        for address in &addresses {
            check_address(address)?;
            if !seen.insert(address) {
                return Err(Error::invalid(format!(
                    "{PROCESSES} names \"{address}\" twice; give every process an address of its own"
                )));
            }
        }
        if index >= addresses.len() {
            return Err(Error::invalid(format!(
                "{INDEX} is \"{index}\" but {PROCESSES} names {} processes; use 0 to {}",
                addresses.len(),
                addresses.len().saturating_sub(1)
            )));
        }
        if !secret.0.is_empty() {
            secret.check()?;
        } else if let Some(open) = addresses.iter().find(|address| !is_loopback(address)) {
            return Err(Error::invalid(format!(
                "\"{open}\" in {PROCESSES} is not a loopback address, so {SECRET} is needed; set it to the same random text for all processes"
            )));
        }
        Ok(Self { addresses, index, id: "tidemill".into(), secret, workers: 1 })
    }

    /// The addresses of all processes, in the order of their indices.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The address of this process.
    pub fn address(&self) -> &str {
        &self.addresses[self.index]
    }

    /// The index of this process.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many processes there are.
    pub fn processes(&self) -> usize {
        self.addresses.len()
    }

    /// How many worker threads each process has.
    pub fn workers(&self) -> usize {
        self.workers
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// What every process of a cluster has to know. It is never printed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// The secret `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether two secrets are the same, in a time that does not depend on where they differ.
    pub(super) fn matches(&self, other: &Secret) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.0.as_bytes());
        let differing = ours.iter().zip(theirs).fold(0_u8, |sum, (a, b)| black_box(sum | (a ^ b)));
        ours.len() == theirs.len() && differing == 0
    }

    fn check(&self) -> Result<()> {
        if (MIN_SECRET_BYTES..=MAX_TEXT_BYTES).contains(&self.0.len()) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{SECRET} has {} bytes; use between {MIN_SECRET_BYTES} and {MAX_TEXT_BYTES} bytes of random text",
            self.0.len()
        )))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn checked_id(id: String) -> Result<String> {
    if id.len() > MAX_TEXT_BYTES {
        return Err(Error::invalid(format!("{CLUSTER_ID} has {} bytes; use at most {MAX_TEXT_BYTES}", id.len())));
    }
    Ok(id)
}

fn number(name: &str, text: &str) -> Result<usize> {
    text.trim().parse().map_err(|_| Error::invalid(format!("{name} is \"{text}\"; set it to a whole number")))
}

fn check_address(address: &str) -> Result<()> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    if matches!(port, Some(Ok(1..))) {
        return Ok(());
    }
    Err(Error::invalid(format!("\"{address}\" in {PROCESSES} is no address; write host:port, such as 127.0.0.1:4001")))
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
