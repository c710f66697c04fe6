//! How a Kafka cluster is reached: its brokers and librdkafka's own keys, and what of them may be shown.

mod owned;
mod secrets;
#[cfg(test)]
mod tests;

pub(crate) use secrets::Secrets;

use rdkafka::ClientConfig;
use std::{collections::BTreeMap, fmt, time::Duration};
use tidemill::{Config, ConfigKey, Error, Result};

/// The brokers to begin with, as `host:port,host:port`.
const BROKERS: ConfigKey<Option<String>> = tidemill::keys::KAFKA_BROKERS;

/// Keys of a [`Config`] that begin with this go to librdkafka, without it.
const PREFIX: &str = "kafka.";

/// How long a call may take that does not say.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How a Kafka cluster is reached: the brokers, and any key of librdkafka for TLS, SASL, fetch and send sizes.
///
/// A plain value: nothing is asked for before a stream or a sink starts. `Debug` and `Display` hide secrets, as all
/// messages and log lines do.
///
/// Its keys are [librdkafka's](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md). Those that the engine
/// has to decide about, such as `enable.auto.commit`, are refused when a client is made, with what to write instead.
///
/// # Examples
/// ```
/// use tidemill_kafka::KafkaSettings;
/// let settings = KafkaSettings::new("broker-1:9093,broker-2:9093")
///     .set("security.protocol", "SASL_SSL")
///     .set("sasl.mechanism", "SCRAM-SHA-512")
///     .set("sasl.username", "counter")
///     .set("sasl.password", "hunter2");
/// settings.check()?;
/// assert!(!format!("{settings:?}").contains("hunter2"));
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    brokers: String,
    properties: BTreeMap<String, String>,
    call_timeout: Duration,
}

impl KafkaSettings {
    /// The cluster that one of `brokers` belongs to: `host:port`, several with commas between.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), properties: BTreeMap::new(), call_timeout: CALL_TIMEOUT }
    }

    /// The cluster that the configuration names: `tidemill.kafka.brokers`, and `kafka.<key>` for each key of librdkafka.
    ///
    /// # Errors
    /// Invalid, if it names no brokers.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys};
    /// use tidemill_kafka::KafkaSettings;
    /// let config = Config::new().set(keys::KAFKA_BROKERS, "broker:9092").set("kafka.client.id", "counter");
    /// let settings = KafkaSettings::from_config(&config)?;
    /// assert_eq!(settings.to_string(), "broker:9092 with client.id=counter");
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn from_config(config: &Config) -> Result<Self> {
        let unset = || Error::invalid(format!("\"{}\" is not set; give it the brokers as host:port", BROKERS.name()));
        let settings = Self::new(config.get(&BROKERS)?.ok_or_else(unset)?);
        let ours = config.get_all().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value)));
        Ok(ours.fold(settings, |settings, (key, value)| settings.set(key, value)))
    }

    /// The same with librdkafka's `key` set to `value`. Whether it can be is told by [`check`](Self::check), and when
    /// a client is made.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        self.properties.insert(key.into(), value.to_string());
        self
    }

    /// The same with another time that one call to the cluster may take, all its retries among it; 30 s unless set.
    #[must_use]
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// The brokers to begin with.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// What librdkafka's `key` was set to; secrets in the clear.
    ///
    /// # Examples
    /// ```
    /// let settings = tidemill_kafka::KafkaSettings::new("broker:9092").set("client.id", "counter");
    /// assert_eq!(settings.get("client.id"), Some("counter"));
    /// ```
    pub fn get(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(String::as_str)
    }

    /// Looks through everything that is set, without asking the cluster.
    ///
    /// # Errors
    /// Invalid, if there are no brokers, or for the first key that librdkafka does not know, that has a value it cannot
    /// have, or that is the engine's.
    ///
    /// # Examples
    /// ```
    /// let settings = tidemill_kafka::KafkaSettings::new("broker:9092").set("enable.auto.commit", true);
    /// let error = settings.check().unwrap_err();
    /// assert!(error.to_string().contains("\"enable.auto.commit\" is set by the engine"));
    /// ```
    pub fn check(&self) -> Result<()> {
        if self.brokers.split(',').all(|broker| broker.trim().is_empty()) {
            return Err(Error::invalid("no Kafka brokers are given; write host:port, several with commas between"));
        }
        self.properties.keys().try_for_each(|key| owned::refuse(key))?;
        let native = self.client_config(&[]).create_native_config();
        native.map(drop).map_err(|error| self.error("these Kafka settings cannot be used", &error))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.call_timeout
    }

    /// All that must not be shown.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::of(&self.properties)
    }

    /// For librdkafka: what is set, and over it what the engine needs.
    pub(crate) fn client_config(&self, engine: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        for (key, value) in engine {
            config.set(*key, *value);
        }
        config
    }
}

impl fmt::Display for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.secrets().removed_from(&self.brokers))?;
        for (index, (key, value)) in self.properties.iter().enumerate() {
            let before = if index == 0 { " with " } else { ", " };
            write!(f, "{before}{key}={}", secrets::shown(key, value))?;
        }
        Ok(())
    }
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaSettings({self})")
    }
}
