//! A Kafka broker in this process: librdkafka's mock cluster, which speaks the real protocol on a loopback port,
//! with consumer groups and committed offsets. It stores nothing on disk.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast::hosts::kafka::Options;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// The topic.
pub const TOPIC: &str = "inventory-events";

/// The limit for an answer of the broker.
const ANSWER: Duration = Duration::from_secs(20);

/// The settings of a group's members. The session timeout is short, but this broker refuses one of three seconds or
/// less.
pub const GROUP: [&str; 3] =
    ["session.timeout.ms=3500", "heartbeat.interval.ms=100", "auto.commit.interval.ms=200"];

/// A broker with the topic. Dropping it stops the broker.
pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    partitions: i32,
}

/// The key and value of a record. Without a value it is a tombstone.
pub type Record = (String, Option<Vec<u8>>);

impl Broker {
    /// A broker whose topic has this many partitions.
    pub fn new(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).expect("the broker starts");
        cluster.create_topic(TOPIC, partitions, 1).expect("the topic is made");
        Self { cluster, partitions }
    }

    /// The address of the broker.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// The options of a group's member.
    pub fn options(&self, group: &str) -> Options {
        Options {
            brokers: self.address(),
            group: group.to_owned(),
            topic: TOPIC.to_owned(),
            settings: GROUP.iter().map(|setting| setting.parse().expect("it is a setting")).collect(),
        }
    }

    /// The arguments of `holdfast` for a group's member.
    pub fn words(&self, group: &str) -> Vec<String> {
        let words = ["consume", "--brokers", &self.address(), "--group", group].map(str::to_owned);
        words
            .into_iter()
            .chain(GROUP.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]))
            .collect()
    }

    /// Sends messages: all producers at once, and each producer's messages in order.
    pub fn send(&self, producers: Vec<Vec<Record>>) {
        let address = &self.address();
        std::thread::scope(|scope| {
            for messages in producers {
                scope.spawn(move || produce(address, messages, "none"));
            }
        });
    }

    /// Sends messages in one batch with this compression.
    pub fn send_compressed(&self, compression: &str, messages: Vec<Record>) {
        produce(&self.address(), messages, compression);
    }

    /// Commits this offset for a group in each partition.
    pub fn commit(&self, group: &str, offset: i64) {
        let client = self.observer(group).client;
        let mut all = TopicPartitionList::new();
        for partition in 0..self.partitions {
            all.add_partition_offset(TOPIC, partition, Offset::Offset(offset)).expect("it is an offset");
        }
        client.commit(&all, CommitMode::Sync).expect("the broker takes it");
    }

    /// An observer of a group's progress.
    pub fn observer(&self, group: &str) -> Observer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address()).set("group.id", group);
        Observer { client: config.create().expect("a client is made"), partitions: self.partitions }
    }
}

/// Reads the progress of a group without being a member of it.
pub struct Observer {
    client: BaseConsumer,
    partitions: i32,
}

impl Observer {
    /// The offsets that the group has committed, by partition. Partitions without one are left out.
    pub fn committed(&self) -> BTreeMap<i32, i64> {
        let mut all = TopicPartitionList::new();
        all.add_partition_range(TOPIC, 0, self.partitions - 1);
        let committed = self.client.committed_offsets(all, ANSWER).expect("the broker answers");
        let offsets = committed.elements().into_iter().map(|one| (one.partition(), one.offset().to_raw()));
        offsets
            .filter_map(|(partition, offset)| Some((partition, offset.filter(|offset| *offset > 0)?)))
            .collect()
    }

    /// The end offsets of the partitions that are not empty.
    pub fn ends(&self) -> BTreeMap<i32, i64> {
        let end = |partition| {
            let (first, end) =
                self.client.fetch_watermarks(TOPIC, partition, ANSWER).expect("the broker answers");
            assert_eq!(first, 0, "the broker has deleted messages");
            (partition, end)
        };
        (0..self.partitions).map(end).filter(|(_, end)| *end > 0).collect()
    }
}

fn produce(address: &str, messages: Vec<Record>, compression: &str) {
    let mut config = ClientConfig::new();
    // Producers in other languages choose the partition of a key like this.
    config.set("bootstrap.servers", address).set("partitioner", "murmur2_random");
    config.set("compression.type", compression).set("linger.ms", "50");
    config.set("message.max.bytes", "10000000");
    let producer: BaseProducer = config.create().expect("a client is made");
    for (key, value) in messages {
        let record = BaseRecord::<str, [u8]>::to(TOPIC).key(&key);
        let record = match &value {
            Some(value) => record.payload(value),
            None => record,
        };
        producer.send(record).map_err(|(error, _)| error).expect("the message is taken");
    }
    producer.flush(ANSWER).expect("all messages arrive");
}
