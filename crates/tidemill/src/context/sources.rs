//! The streams that a program begins with, apart from files: sockets, receivers, queues and made-up records.

use super::StreamingContext;
use crate::{
    base::{Data, Result, Text, keys, text::LineLimits},
    dstream::{DStream, node::declared},
    io::{
        DirectInput, QueueInput, RddQueue, Receiver,
        direct::Direct,
        generate::GeneratorInput,
        queue::ConstantInput,
        receiver::{ReceiverInput, ReceiverName},
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
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::{TestContext, TextServer};
    /// let (server, test) = (TextServer::start(1_000)?, TestContext::new());
    /// let lines = test.ssc().socket_text_stream("127.0.0.1", server.address().port());
    /// let seen = test.collect(&lines);
    /// while seen.batches().concat().is_empty() {
    ///     test.run(1)?;
    /// }
    /// assert!(seen.batches().concat()[0].contains(' '));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn socket_text_stream(&self, host: impl Into<String>, port: u16) -> DStream<Text> {
        let site = Site::here("socket_text_stream");
        let server = declared(Server::new(host, port, self.config()));
        let session = self.inner.graph.session.clone();
        let receiver = SocketTextReceiver { server, limits: declared(self.line_limits()), session };
        let source = receiver.server.to_string();
        self.receive(ReceiverName { site, name: "SocketReceiver", source }, receiver)
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
    ///
    /// # Examples
    /// ```
    /// use std::{io::Write, net::TcpListener};
    /// let server = TcpListener::bind("127.0.0.1:0")?;
    /// let test = tidemill::testing::TestContext::new();
    /// let seen = test.collect(&test.ssc().raw_socket_stream("127.0.0.1", server.local_addr()?.port()));
    /// test.run(1)?;
    /// let (mut connection, _) = server.accept()?;
    /// connection.write_all(b"\0\0\0\x03abc")?;
    /// while seen.batches().concat().is_empty() {
    ///     test.run(1)?;
    /// }
    /// assert_eq!(seen.batches().concat(), [b"abc"]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn raw_socket_stream(&self, host: impl Into<String>, port: u16) -> DStream<Vec<u8>> {
        let site = Site::here("raw_socket_stream");
        let max_frame_bytes = declared(self.config().get(&keys::LINES_MAX_BYTES)) as usize;
        let server = declared(Server::new(host, port, self.config()));
        let source = server.to_string();
        self.receive(ReceiverName { site, name: "RawReceiver", source }, RawSocketReceiver { server, max_frame_bytes })
    }

    /// What a [`Receiver`] of your own stores.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Result, io::{Ending, Receiver, ReceiverLink}, testing::TestContext};
    /// struct Hello;
    /// impl Receiver for Hello {
    ///     type Item = String;
    ///     fn run(&mut self, link: &ReceiverLink<String>) -> Result<Ending> {
    ///         link.store("hello".to_string())?;
    ///         Ok(Ending::Stop("that was all".into()))
    ///     }
    /// }
    /// let test = TestContext::new();
    /// let seen = test.collect(&test.ssc().receiver_stream(Hello));
    /// while seen.batches().concat().is_empty() {
    ///     test.run(1)?;
    /// }
    /// assert_eq!(seen.batches().concat(), ["hello"]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn receiver_stream<R: Receiver>(&self, receiver: R) -> DStream<R::Item> {
        let name = std::any::type_name::<R>();
        let name = name.split('<').next().and_then(|name| name.rsplit("::").next()).unwrap_or("Receiver");
        let (site, source) = (Site::here("receiver_stream"), name.to_owned());
        self.receive(ReceiverName { site, name, source }, receiver)
    }

    #[track_caller]
    fn receive<R: Receiver>(&self, name: ReceiverName<'_>, receiver: R) -> DStream<R::Item> {
        let site = name.site;
        let input = declared(ReceiverInput::new(&self.inner.graph, &self.inner.pool, name, receiver));
        self.input(site, input)
    }

    /// A stream of the datasets that are pushed into the returned queue: one for each batch, or all that wait.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys, testing::TestContext};
    /// let test = TestContext::with_config(Config::new().set(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, true));
    /// let (numbers, queue) = test.ssc().queue_stream(true);
    /// let seen = test.collect(&numbers);
    /// queue.push(test.ssc().context().range(0, 3, 1, 1));
    /// queue.push(test.ssc().context().range(3, 5, 1, 1));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [vec![0, 1, 2], vec![3, 4]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
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
        let input = QueueInput { queue: queue.clone(), one_at_a_time, default, site, graph };
        (self.input(site, input), queue)
    }

    /// The same dataset in every batch.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// let test = tidemill::testing::TestContext::new();
    /// let numbers = test.ssc().context().parallelize(vec![1, 2], 1);
    /// let seen = test.collect(&test.ssc().constant_stream(&numbers));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [[1, 2], [1, 2]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn constant_stream<T: Data>(&self, rdd: &Rdd<T>) -> DStream<T> {
        self.input(Site::here("constant_stream"), ConstantInput(rdd.clone()))
    }

    /// What a [`DirectInput`] of your own picks and reads.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// See [`DirectInput`].
    #[track_caller]
    pub fn direct_stream<T: Data>(&self, input: impl DirectInput<T>) -> DStream<T> {
        let site = Site::here(input.operation());
        self.input(site, Direct { input, site })
    }

    /// `records_per_second` records a second, each made by `make` of its number: 0, 1, 2, and so on.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// let test = tidemill::testing::TestContext::new();
    /// let seen = test.collect(&test.ssc().generate_stream(3, |number| number * 10));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [[0, 10, 20], [30, 40, 50]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn generate_stream<T: Data>(
        &self,
        records_per_second: u64,
        make: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> DStream<T> {
        let site = Site::here("generate_stream");
        let graph = self.inner.graph.clone();
        self.input(
            site,
            GeneratorInput { graph, records_per_second, make: Arc::new(make), site, made: Mutex::default() },
        )
    }
}
