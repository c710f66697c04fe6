//! A real Kafka for tests: one node or several on free ports of the loopback, which end with the process that started them.
//!
//! The jars are those that `ci/kafka.sh` (`make kafka-jars`) fetched. Whatever goes wrong here panics: this is for tests.

mod node;
mod records;
mod secured;
mod topics;

pub use records::Record;
pub use secured::Secured;

use node::Node;
use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError, atomic::AtomicU64},
};

/// Some nodes of Kafka, which keep their data and ports when they are stopped and started again.
///
/// Dropping it kills them and removes what they stored. When the process dies without, by whatever signal, the same happens.
///
/// # Examples
/// ```no_run
/// let kafka = tidemill_kafka_broker::Kafka::start(1);
/// let topic = kafka.topic("words", 3);
/// kafka.produce(&topic, &[("key", "value")]);
/// kafka.kill(0);
/// kafka.resume(0);
/// assert_eq!(kafka.read_committed(&topic)[0].value, "value");
/// ```
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    secured: Option<Secured>,
    nodes: Vec<Mutex<Node>>,
    folder: PathBuf,
    topics: AtomicU64,
}

impl Kafka {
    /// Starts `nodes` nodes, and waits until all are ready. With three of them topics have three replicas, of which two have
    /// to be there.
    ///
    /// # Panics
    /// If they do not start within a minute, with the end of their logs.
    #[must_use]
    pub fn start(nodes: usize) -> Self {
        Self::with(nodes, &[])
    }

    /// The same with further settings of the broker, as `transaction.max.timeout.ms`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn with(nodes: usize, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Self::with_arguments(nodes, settings, None)
    }

    /// Starts one node that listens on a second port for users who show who they are, over TLS: see [`Secured`].
    ///
    /// # Panics
    /// As [`start`](Self::start), and if there is no `keytool`, which comes with Java.
    #[must_use]
    pub fn start_secured() -> Self {
        let secured = Secured::new();
        Self::with_arguments(1, secured.arguments(), Some(secured))
    }

    fn with_arguments(nodes: usize, further: Vec<String>, secured: Option<Secured>) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files").keep();
        let ports = node::free_ports(2 * nodes);
        let (clients, controllers) = ports.split_at(nodes);
        let voters: Vec<_> =
            controllers.iter().enumerate().map(|(index, port)| format!("{}@127.0.0.1:{port}", index + 1)).collect();
        let node = |(index, port): (usize, &u16)| {
            let id = index + 1;
            let arguments = [id.to_string(), port.to_string(), voters.join(",")];
            Mutex::new(Node::new(folder.join(id.to_string()), arguments.into_iter().chain(further.clone()).collect()))
        };
        let nodes: Vec<_> = clients.iter().enumerate().map(node).collect();
        let bootstrap = clients.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
        let kafka = Self { bootstrap, secured, nodes, folder, topics: AtomicU64::new(0) };
        kafka.resume_all();
        kafka
    }

    /// Starts one node with further settings of the broker.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::with(1, settings)
    }

    /// One node that all tests of a process share; it ends with the process. Nobody stops it.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(1))
    }

    /// The addresses of all nodes, as `bootstrap.servers` wants them.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The listener for users who show who they are.
    ///
    /// # Panics
    /// If it was not [started](Self::start_secured) with one.
    #[must_use]
    pub fn secured(&self) -> &Secured {
        self.secured.as_ref().expect("it was started with start_secured")
    }

    /// How many nodes there are, running or not.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn node(&self, index: usize) -> std::sync::MutexGuard<'_, Node> {
        self.nodes[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops a node as an operator does, and waits until it has ended. Nodes are counted from 0.
    pub fn stop(&self, index: usize) {
        self.node(index).stop();
    }

    /// Ends a node with `kill -9`.
    pub fn kill(&self, index: usize) {
        self.node(index).kill();
    }

    /// Starts a node that was stopped or killed, on the same port with its data, and waits until it is ready.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn resume(&self, index: usize) {
        let mut node = self.node(index);
        node.run();
        node.await_ready();
    }

    /// [Kills](Self::kill) all nodes.
    pub fn kill_all(&self) {
        (0..self.nodes()).for_each(|index| self.kill(index));
    }

    /// [Starts](Self::resume) all nodes, at once.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn resume_all(&self) {
        (0..self.nodes()).for_each(|index| self.node(index).run());
        (0..self.nodes()).for_each(|index| self.node(index).await_ready());
    }

    /// Makes a node stand still as it is, as if its machine did not answer; see [`wake`](Self::wake).
    pub fn freeze(&self, index: usize) {
        self.node(index).freeze();
    }

    /// Lets a [frozen](Self::freeze) node go on.
    pub fn wake(&self, index: usize) {
        self.node(index).wake();
    }

    /// The log of a node so far.
    #[must_use]
    pub fn log(&self, index: usize) -> String {
        self.node(index).log()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        (0..self.nodes()).for_each(|index| self.kill(index));
        let _ = fs::remove_dir_all(&self.folder);
    }
}
