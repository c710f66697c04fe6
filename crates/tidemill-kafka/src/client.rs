//! What every client has in common: how it is made, where its log lines go, and what its errors mean.
//!
//! The rule of the crate: no call waits for the cluster without a time limit of ours. A client is closed in a thread of
//! its own, as librdkafka waits there without one.

use crate::{
    lock::lock,
    settings::{KafkaSettings, Secrets},
};
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    consumer::{BaseConsumer, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tidemill::{Error, ErrorKind, Interrupt, Result, base::clock::Stopwatch};

/// How long the end of a client is waited for; it goes on to end by itself after that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest pause between attempts to connect; the library's own default is 10 s, which a restarted broker is missed for.
const RECONNECT: &str = "reconnect.backoff.max.ms";

/// What a client is called back for: its log lines and errors go to `tracing`, without secrets.
#[derive(Clone)]
pub(crate) struct ClientLog {
    /// What the client is for: `direct stream of "clicks"`.
    purpose: Arc<str>,
    secrets: Arc<Secrets>,
    complaints: Arc<Mutex<Complaints>>,
}

/// What a client had to complain of.
#[derive(Default)]
struct Complaints {
    last: Option<String>,
    /// Why a broker does not let it in.
    refusal: Option<String>,
}

impl ClientLog {
    pub(crate) fn new(settings: &KafkaSettings, purpose: impl Into<Arc<str>>) -> Self {
        Self { purpose: purpose.into(), secrets: Arc::new(settings.secrets()), complaints: Arc::default() }
    }

    /// What the client had to complain of last, as the end of a message: why nothing comes, if it knows.
    pub(crate) fn complaint(&self) -> String {
        self.complaints().last.as_ref().map(|last| format!("; its client said last: {last}")).unwrap_or_default()
    }

    /// What a call that got no answer means where a broker does not let the client in: no patience will help then.
    pub(crate) fn explained(&self, error: Error) -> Error {
        match &self.complaints().refusal {
            Some(refusal) if error.kind() == ErrorKind::Unavailable => Error::invalid(format!("{error}: {refusal}")),
            _ => error,
        }
    }

    fn complaints(&self) -> MutexGuard<'_, Complaints> {
        lock(&self.complaints)
    }
}

impl ClientContext for ClientLog {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        let (purpose, line) = (&*self.purpose, &*self.secrets.removed_from(line));
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(purpose, facility, line, "librdkafka");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(purpose, facility, line, "librdkafka"),
            // What it calls errors it goes on from by itself, such as a broker that is away, and tells in another way as well.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(purpose, facility, line, "librdkafka");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // No trouble: the first is asked for, the second is told to whom it concerns.
        if let Some(RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AutoOffsetReset) = error.rdkafka_error_code() {
            return;
        }
        let (purpose, reason) = (&*self.purpose, &*self.secrets.removed_from(reason));
        let mut complaints = self.complaints();
        complaints.last = Some(reason.to_owned());
        if let Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL) = error.rdkafka_error_code() {
            complaints.refusal = Some(reason.to_owned());
        }
        drop(complaints);
        // A broker that is away is tried again many times a second; whoever waits for it says so.
        if kind_of(&error) == ErrorKind::Unavailable {
            tracing::debug!(purpose, code = ?error.rdkafka_error_code(), reason, "a Kafka client has trouble");
        } else {
            tracing::warn!(purpose, code = ?error.rdkafka_error_code(), reason, "a Kafka client has trouble");
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        tracing::debug!(purpose = &*self.purpose, statistics = %String::from_utf8_lossy(statistics), "librdkafka");
    }
}

impl ConsumerContext for ClientLog {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            let error = &*self.secrets.removed_from(&error.to_string()).into_owned();
            tracing::warn!(purpose = &*self.purpose, error, "offsets could not be committed to the group");
        }
    }
}

impl KafkaSettings {
    /// A client; nothing is connected yet when it returns.
    ///
    /// # Errors
    /// Invalid, if the settings do not allow for it.
    pub(crate) fn create<C, T>(&self, engine: &[(&str, &str)], context: C) -> Result<T>
    where
        C: ClientContext,
        T: FromClientConfigAndContext<C>,
    {
        self.check()?;
        let mut config = self.client_config(engine);
        if config.get(RECONNECT).is_none() {
            config.set(RECONNECT, "1000");
        }
        let debugs = config.get("debug").is_some();
        config.set_log_level(if debugs { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
        config.create_with_context(context).map_err(|error| self.error("a Kafka client could not be made", &error))
    }

    /// A consumer that commits nothing by itself and joins no group; `group_id` is whose offsets it reads and commits.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub(crate) fn consumer<C: ConsumerContext>(
        &self,
        group_id: &str,
        engine: &[(&str, &str)],
        log: C,
    ) -> Result<BaseConsumer<C>> {
        let fixed = [
            ("group.id", group_id),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            // Nobody is a member of the group who would have to poll.
            ("max.poll.interval.ms", "86400000"),
        ];
        let all: Vec<_> = fixed.into_iter().chain(engine.iter().copied()).collect();
        self.create(&all, log)
    }

    /// What an error of librdkafka means to the caller, led by what was attempted, without secrets.
    pub(crate) fn error(&self, attempted: impl fmt::Display, error: &KafkaError) -> Error {
        let told = Told { error, secrets: &self.secrets() }.to_string();
        let named = Error::new(kind_of(error), format!("{attempted} at \"{}\": {told}", self.brokers()));
        match error.rdkafka_error_code() {
            Some(code) => named.with_source(code),
            None => named,
        }
    }
}

/// The text of an error of librdkafka without secrets; it has the value in it where one cannot be used.
struct Told<'a> {
    error: &'a KafkaError,
    secrets: &'a Secrets,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.error {
            KafkaError::ClientConfig(_, what, key, _) => format!("{what} (\"{key}\")"),
            error => error.to_string(),
        };
        f.write_str(&self.secrets.removed_from(&text))
    }
}

/// What the caller can do: [Unavailable](ErrorKind::Unavailable) may pass when it is tried again, the others do not.
pub(crate) fn kind_of(error: &KafkaError) -> ErrorKind {
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_) => ErrorKind::Invalid,
        KafkaError::Canceled => ErrorKind::Closed,
        error => error.rdkafka_error_code().map_or(ErrorKind::Unavailable, kind_of_code),
    }
}

fn kind_of_code(code: RDKafkaErrorCode) -> ErrorKind {
    use RDKafkaErrorCode as Code;
    match code {
        // Somebody has to change the program, its settings or its rights.
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::DelegationTokenAuthorizationFailed
        | Code::InvalidArgument
        | Code::InvalidConfig
        | Code::InvalidTopic
        | Code::InvalidGroupId
        | Code::InvalidRequiredAcks
        | Code::InvalidTransactionTimeout
        | Code::InvalidReplicationFactor
        | Code::InvalidPartitions
        | Code::PolicyViolation
        | Code::TopicAlreadyExists
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::NotImplemented
        | Code::SecurityDisabled => ErrorKind::Invalid,
        // Another run has taken over.
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId => ErrorKind::Closed,
        // What is stored, or was to be, is not as it must be.
        Code::OffsetOutOfRange
        | Code::AutoOffsetReset
        | Code::LogTruncation
        | Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::UnsupportedCompressionType => ErrorKind::Data,
        _ => ErrorKind::Unavailable,
    }
}

/// Listens to a consumer that no record can come to: its errors, its log, and what became of commits. Without any time to
/// listen in it gets to say one thing.
pub(crate) fn hear(consumer: &BaseConsumer<impl ConsumerContext>, time: Duration) {
    let since = Stopwatch::start();
    while consumer.poll(time.saturating_sub(since.elapsed())).is_some() {}
}

/// Ends a client, and waits for that no longer than for a few seconds.
pub(crate) fn close(client: impl Send + 'static) {
    let done = Interrupt::new();
    let closed = done.clone();
    let thread = std::thread::Builder::new().name("tidemill-kafka-close".into()).spawn(move || {
        drop(client);
        closed.raise();
    });
    match thread {
        // It ends by itself if it does not end in time.
        Ok(_) if !done.wait_timeout(CLOSE_TIMEOUT) => {
            tracing::warn!("a Kafka client did not end in time; it is left to end by itself");
        }
        Ok(thread) => drop(thread.join()),
        Err(error) => tracing::warn!(%error, "a Kafka client could not be ended in a thread of its own"),
    }
}
