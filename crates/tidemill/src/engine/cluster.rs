//! The same program on N processes: who they are, how they find each other, and what happens when one is lost.
//!
//! Each pair of processes shares two TCP connections: *data*, which the dataflow library drives, and *control*, for
//! the orders of process 0 and for heartbeats. Both begin with a handshake that proves that the two
//! belong together. The traffic is not encrypted: the network between the processes has to be trusted.
//!
//! Deliberately not here: what the orders say, and starting the processes (`tidemill launch`).

mod build;
mod config;
mod connect;
mod control;
mod frame;
mod handshake;
#[cfg(test)]
mod tests;

pub use build::BuildId;
pub use config::{ClusterConfig, Secret};
pub use control::{Control, Message, OnLost, Timing, end_process};

use crate::base::{Error, Result};
use std::{
    net::{TcpListener, TcpStream},
    time::Duration,
};

/// How long the processes of a cluster wait for each other at the start.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// This process, connected to all others of its cluster.
///
/// # Examples
/// ```
/// use std::net::TcpListener;
/// use tidemill::engine::cluster::{BuildId, CONNECT_TIMEOUT, Cluster, ClusterConfig, Timing};
///
/// # fn main() -> tidemill::Result<()> {
/// let listeners = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
/// let addresses = [listeners[0].local_addr()?.to_string(), listeners[1].local_addr()?.to_string()];
/// let handles = listeners.into_iter().enumerate().map(|(index, listener)| {
///     let config = ClusterConfig::loopback(addresses.to_vec(), index)?;
///     Ok(std::thread::spawn(move || -> tidemill::Result<()> {
///         let build = BuildId::of_bytes(b"this program");
///         let cluster = Cluster::connect_with_listener(&config, build, listener, CONNECT_TIMEOUT)?;
///         let (_data, control) =
///             cluster.into_parts(Box::new(|process, why| panic!("process {process}: {why}")), Timing::default())?;
///         if index == 0 {
///             control.broadcast(b"batch 7")?;
///             assert_eq!(control.recv()?.payload, b"done");
///         } else {
///             assert_eq!(control.recv()?.payload, b"batch 7");
///             control.send(b"done")?;
///         }
///         control.close();
///         Ok(())
///     }))
/// });
/// for handle in handles.collect::<tidemill::Result<Vec<_>>>()? {
///     handle.join().expect("no process panics")?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Cluster {
    index: usize,
    addresses: Vec<String>,
    data: Vec<Option<TcpStream>>,
    control: Vec<Option<connect::ControlSocket>>,
}

impl Cluster {
    /// Binds this process's own address and connects to all others.
    ///
    /// Returns when every process is connected to every other; until `timeout` the processes may come up in any order.
    ///
    /// # Errors
    /// `Unavailable` if a process did not come up in time, or its own address cannot be bound. `Invalid` if one of
    /// them does not fit: another build, secret, cluster id, or number of processes or workers.
    pub fn connect(config: &ClusterConfig, build: BuildId, timeout: Duration) -> Result<Self> {
        let listener = connect::bind(config.address(), timeout)?;
        Self::connect_with_listener(config, build, listener, timeout)
    }

    /// As [`connect`](Self::connect), with a listener that is already bound to this process's address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with_listener(
        config: &ClusterConfig,
        build: BuildId,
        listener: TcpListener,
        timeout: Duration,
    ) -> Result<Self> {
        let connect::Connections { data, control } = connect::all(config, build, listener, timeout)?;
        Ok(Self { index: config.index(), addresses: config.addresses().to_vec(), data, control })
    }

    /// The index of this process.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The addresses of all processes, in the order of their indices.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The data connections, and the control channel with its threads started.
    ///
    /// The data connections are what `initialize_networking_from_sockets` asks for: one place for each process in the
    /// order of their indices, `None` at this process's own, blocking, without timeouts. `on_lost` is called once for
    /// each process that ended without a goodbye; see [`end_process`]. It must not close the channel.
    ///
    /// # Errors
    /// `Unavailable` if the operating system refuses a thread or a socket option.
    pub fn into_parts(self, on_lost: OnLost, timing: Timing) -> Result<(Vec<Option<TcpStream>>, Control)> {
        for socket in self.data.iter().flatten() {
            socket.set_read_timeout(None)?;
            socket.set_write_timeout(None)?;
        }
        let control = Control::start(self.index, self.control, on_lost, timing)
            .map_err(|error| Error::unavailable("cannot start the control channel").with_source(error))?;
        Ok((self.data, control))
    }
}
