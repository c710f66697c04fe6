//! Topics: made, deleted, with more partitions.

use crate::Kafka;
use futures_executor::block_on;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use std::{sync::atomic::Ordering, time::Duration};

const DEADLINE: Duration = Duration::from_secs(30);

impl Kafka {
    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", self.bootstrap()).create().expect("a client can be made")
    }

    /// Makes a topic with this name and a number, so that no other test has it; its name.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn topic(&self, name: &str, partitions: usize) -> String {
        let name = format!("{name}-{}", self.topics.fetch_add(1, Ordering::Relaxed));
        self.create_topic(&name, partitions, &[]);
        name
    }

    /// Makes a topic of this very name, with settings as `("cleanup.policy", "compact")`.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn create_topic(&self, name: &str, partitions: usize, settings: &[(&str, &str)]) {
        let replicas = i32::try_from(self.nodes().min(3)).expect("these are few");
        let partitions = i32::try_from(partitions).expect("these are few");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let made = block_on(self.admin().create_topics([&topic], &options())).expect("Kafka answers");
        made.into_iter().for_each(|made| drop(made.expect("the topic can be made")));
    }

    /// Deletes a topic.
    ///
    /// # Panics
    /// If it cannot be deleted.
    pub fn delete_topic(&self, name: &str) {
        let deleted = block_on(self.admin().delete_topics(&[name], &options())).expect("Kafka answers");
        deleted.into_iter().for_each(|deleted| drop(deleted.expect("the topic can be deleted")));
    }

    /// Gives a topic so many partitions in all.
    ///
    /// # Panics
    /// If it cannot.
    pub fn grow_topic(&self, name: &str, partitions: usize) {
        let wanted = NewPartitions::new(name, partitions);
        let made = block_on(self.admin().create_partitions([&wanted], &options())).expect("Kafka answers");
        made.into_iter().for_each(|made| drop(made.expect("partitions can be added")));
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(DEADLINE)).request_timeout(Some(DEADLINE))
}
