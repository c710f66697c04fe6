//! The streams that a program begins with, apart from files: sockets, receivers, queues and made-up records.

use super::StreamingContext;
use crate::{
    base::{Data, Result, Text, keys, text::LineLimits},
    dstream::{DStream, node::declared},
    io::{
        QueueInput, RddQueue, Receiver,
        generate::GeneratorInput,
        queue::ConstantInput,
        receiver::ReceiverInput,
        socket::{RawSocketReceiver, Server, SocketTextReceiver},
    },
    rdd::{Rdd, Site},
};
use std::sync::{Arc, Mutex};

impl StreamingContext {
    /// Lines of UTF-8 text from the server at `host` and `port`, which is connected to again whenever it is gone.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn socket_text_stream(&self, host: impl Into<String>, port: u16) -> DStream<Text> {
        let site = Site::here("socket_text_stream");
        let server = declared(Server::new(host, port, self.config()));
        let session = self.inner.graph.session.clone();
        let receiver = SocketTextReceiver { server, limits: declared(self.line_limits()), session };
        self.receive(site, "SocketReceiver", receiver)
    }

    pub(super) fn line_limits(&self) -> Result<LineLimits> {
        let config = self.config();
        Ok(LineLimits {
            block_bytes: config.get(&keys::RECEIVER_BLOCK_BYTES)? as usize,
            max_line_bytes: config.get(&keys::LINES_MAX_BYTES)? as usize,
        })
    }

    /// Blocks of bytes from the server at `host` and `port`, each led by its length in four bytes.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn raw_socket_stream(&self, host: impl Into<String>, port: u16) -> DStream<Vec<u8>> {
        let site = Site::here("raw_socket_stream");
        let max_frame_bytes = declared(self.config().get(&keys::LINES_MAX_BYTES)) as usize;
        let server = declared(Server::new(host, port, self.config()));
        self.receive(site, "RawReceiver", RawSocketReceiver { server, max_frame_bytes })
    }

    /// What a [`Receiver`] of your own stores.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn receiver_stream<R: Receiver>(&self, receiver: R) -> DStream<R::Item> {
        let name = std::any::type_name::<R>();
        let name = name.split('<').next().and_then(|name| name.rsplit("::").next()).unwrap_or("Receiver");
        self.receive(Site::here("receiver_stream"), name, receiver)
    }

    #[track_caller]
    fn receive<R: Receiver>(&self, site: Site, name: &str, receiver: R) -> DStream<R::Item> {
        let input = declared(ReceiverInput::new(&self.inner.graph, &self.inner.pool, site, name, receiver));
        self.input(site, input)
    }

    /// A stream of the datasets that are pushed into the returned queue: one for each batch, or all that wait.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn queue_stream<T: Data>(&self, one_at_a_time: bool) -> (DStream<T>, RddQueue<T>) {
        self.queue_input(Site::here("queue_stream"), one_at_a_time, None)
    }

    #[track_caller]
    pub(super) fn queue_input<T: Data>(
        &self,
        site: Site,
        one_at_a_time: bool,
        default: Option<Rdd<T>>,
    ) -> (DStream<T>, RddQueue<T>) {
        let queue = RddQueue::new();
        let graph = self.inner.graph.clone();
        let input = QueueInput { queue: queue.clone(), one_at_a_time, default, site, graph, read: Mutex::default() };
        (self.input(site, input), queue)
    }

    /// The same dataset in every batch.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn constant_stream<T: Data>(&self, rdd: &Rdd<T>) -> DStream<T> {
        self.input(Site::here("constant_stream"), ConstantInput(rdd.clone()))
    }

    /// `records_per_second` records a second, each made by `make` of its number: 0, 1, 2, and so on.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn generate_stream<T: Data>(
        &self,
        records_per_second: u64,
        make: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> DStream<T> {
        let site = Site::here("generate_stream");
        let graph = self.inner.graph.clone();
        self.input(site, GeneratorInput { graph, records_per_second, make: Arc::new(make), site })
    }
}
