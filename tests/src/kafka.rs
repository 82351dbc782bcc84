//! A Kafka of the tests' own: a real broker by scripts/kafka, or librdkafka's mock cluster where no broker can be had.

use std::{
    collections::BTreeMap,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use infra::kafka::KafkaOptions;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Header, Headers, Message, OwnedHeaders, OwnedMessage},
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, Producer},
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// What scripts/kafka says where Kafka cannot be had.
const UNAVAILABLE: i32 = 75;
/// How long a message may take before a test is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the topics of one test.
const PARTITIONS: i32 = 3;
/// The topics that a mock cluster must be told of, for it has no admin API.
const TOPICS: [&str; 5] = ["strategy", "backtest", "ledger", "sweep", "dead_letter"];

static SHARED: OnceCell<TestKafka> = OnceCell::const_new();
static COUNT: AtomicU32 = AtomicU32::new(1);

/// A broker, gone with this (or with the process, kill -9 included).
pub struct TestKafka {
    brokers: String,
    kind: Kind,
}

enum Kind {
    Real { folder: PathBuf, watchdog: Child },
    Mock(mpsc::Sender<MockOrder>),
}

enum MockOrder {
    Create { topic: String, done: mpsc::Sender<()> },
    Up(bool),
}

impl TestKafka {
    /// The broker of this test binary, for tests that leave others alone.
    pub async fn shared() -> &'static Self {
        SHARED.get_or_init(|| async { Self::private() }).await
    }

    /// A broker for one test that stops it.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "says why tests ran without a real broker")]
    pub fn private() -> Self {
        let folder = TempDir::with_prefix("backtrail-kafka-").expect("a folder").keep();
        let started = script("start", &folder).output().expect("scripts/kafka");
        let errors = String::from_utf8_lossy(&started.stderr);
        if started.status.code() == Some(UNAVAILABLE) {
            eprintln!("NO REAL KAFKA, the tests run against librdkafka's mock cluster: {errors}");
            std::fs::remove_dir_all(&folder).expect("the folder goes");
            return Self::mock();
        }
        assert!(started.status.success(), "{errors}");
        let brokers = String::from_utf8_lossy(&started.stdout).trim().to_owned();
        Self { brokers, kind: Kind::Real { watchdog: watch(&folder), folder } }
    }

    /// The cluster lives on a separate thread, for it may not be shared.
    fn mock() -> Self {
        let (orders, received) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let cluster = MockCluster::new(1).expect("a mock cluster");
            tell.send(cluster.bootstrap_servers()).expect("somebody who waits");
            for order in received {
                match order {
                    MockOrder::Create { topic, done } => {
                        cluster.create_topic(&topic, PARTITIONS, 1).expect("a topic");
                        done.send(()).expect("somebody who waits");
                    }
                    MockOrder::Up(true) => cluster.broker_up(1).expect("up"),
                    MockOrder::Up(false) => cluster.broker_down(1).expect("down"),
                }
            }
        });
        Self { brokers: told.recv().expect("an address"), kind: Kind::Mock(orders) }
    }

    /// `host:port`.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Whether it is a real broker; says so where a test cannot do without.
    #[must_use]
    pub fn is_real(&self) -> bool {
        matches!(self.kind, Kind::Real { .. })
    }

    /// Topics of one test's own.
    #[must_use]
    pub fn options(&self) -> KafkaOptions {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let topic_prefix = format!("test-{}-{number}", std::process::id());
        if let Kind::Mock(orders) = &self.kind {
            for name in TOPICS {
                let (done, created) = mpsc::channel();
                let topic = format!("{topic_prefix}.{name}");
                orders.send(MockOrder::Create { topic, done }).expect("the cluster");
                created.recv().expect("a topic");
            }
        }
        KafkaOptions {
            brokers: self.brokers.clone(),
            topic_prefix,
            partitions: PARTITIONS,
            replication: 1,
            retention_ms: -1,
            message_bytes_max: 1_048_576,
            security: Vec::new(),
        }
    }

    /// Stops it; it keeps what it has.
    pub fn stop(&self) {
        match &self.kind {
            Kind::Real { folder, .. } => succeed(&mut script("stop", folder)),
            Kind::Mock(orders) => orders.send(MockOrder::Up(false)).expect("the cluster"),
        }
    }

    /// kill -9 of a real broker; it keeps what it has.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// SIGSTOP to a real broker.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT to a real broker.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let Kind::Real { folder, .. } = &self.kind else { panic!("a mock has no process") };
        let text = std::fs::read_to_string(folder.join("pid")).expect("a broker that runs");
        let pid = text.trim().parse().ok().and_then(Pid::from_raw).expect("the broker's process");
        kill_process(pid, signal).expect("the signal arrives");
    }

    /// Starts it again, at the same address.
    pub fn start(&self) {
        match &self.kind {
            Kind::Real { folder, .. } => succeed(&mut script("start", folder)),
            Kind::Mock(orders) => orders.send(MockOrder::Up(true)).expect("the cluster"),
        }
    }
}

impl Drop for TestKafka {
    fn drop(&mut self) {
        if let Kind::Real { watchdog, .. } = &mut self.kind {
            drop(watchdog.stdin.take());
            watchdog.wait().expect("the broker's end");
        }
    }
}

/// The environment that leads the binary to these topics.
#[must_use]
pub fn kafka_environment(options: &KafkaOptions) -> Vec<(&'static str, String)> {
    vec![
        ("BACKTRAIL_KAFKA__BROKERS", options.brokers.clone()),
        ("BACKTRAIL_KAFKA__TOPIC_PREFIX", options.topic_prefix.clone()),
        ("BACKTRAIL_KAFKA__PARTITIONS", options.partitions.to_string()),
        ("BACKTRAIL_KAFKA__MESSAGE_BYTES_MAX", options.message_bytes_max.to_string()),
    ]
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn script(command: &str, folder: &Path) -> Command {
    let mut script = Command::new(root().join("scripts/kafka"));
    script.arg(command).arg(folder).stdin(Stdio::null());
    script
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("scripts/kafka");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A process that outlives this one by the moment that it takes to stop the broker and remove its folder.
fn watch(folder: &Path) -> Child {
    let script = r#"cat >/dev/null
        "$0" stop "$1" >/dev/null 2>&1
        rm -rf "$1""#;
    Command::new("sh")
        .args(["-c", script])
        .arg(root().join("scripts/kafka"))
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C in the terminal ends the tests, not this.
        .process_group(0)
        .spawn()
        .expect("sh")
}

/// Everything in some topics, read from the beginning, as a foreigner would.
pub struct TopicReader {
    consumer: BaseConsumer,
    /// In the order of reading: per partition that of Kafka.
    pub messages: Vec<OwnedMessage>,
}

impl TopicReader {
    /// Of these topics, whose partitions are those of [`TestKafka::options`].
    #[must_use]
    pub fn new(brokers: &str, topics: &[String]) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .set("reconnect.backoff.max.ms", "500")
            .create()
            .expect("a consumer");
        let mut places = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..PARTITIONS {
                let place = places.add_partition_offset(topic, partition, Offset::Beginning);
                place.expect("a place");
            }
        }
        consumer.assign(&places).expect("an assignment");
        Self { consumer, messages: Vec::new() }
    }

    /// Reads on until what was read satisfies; blocks.
    ///
    /// # Panics
    /// When nothing new comes for too long.
    pub fn read_until(&mut self, is_enough: impl Fn(&[OwnedMessage]) -> bool) {
        let mut deadline = Instant::now() + PATIENCE;
        while !is_enough(&self.messages) {
            assert!(Instant::now() < deadline, "{} messages, and no more", self.messages.len());
            // Errors are of brokers that come and go.
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(100)) {
                self.messages.push(message.detach());
                deadline = Instant::now() + PATIENCE;
            }
        }
    }

    /// Of every topic of events.
    #[must_use]
    pub fn of_events(options: &KafkaOptions) -> Self {
        let topics = ["strategy", "backtest", "ledger", "sweep"].map(|name| options.topic(name));
        Self::new(&options.brokers, &topics)
    }

    /// Reads to what is the end when it begins, keeping nothing; blocks.
    ///
    /// # Panics
    /// When the brokers do not answer, or nothing new comes for too long.
    pub fn read_to_end(&self, mut each: impl FnMut(OwnedMessage)) {
        let places = self.consumer.assignment().expect("an assignment");
        let mut missing = BTreeMap::new();
        for place in places.elements() {
            let (topic, partition) = (place.topic().to_owned(), place.partition());
            let marks = self.consumer.fetch_watermarks(&topic, partition, PATIENCE);
            let (low, high) = marks.expect("the ends of a partition");
            if high > low {
                missing.insert((topic, partition), high);
            }
        }
        let mut deadline = Instant::now() + PATIENCE;
        while !missing.is_empty() {
            assert!(Instant::now() < deadline, "nothing comes of {missing:?}");
            // Errors are of brokers that come and go.
            let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(100)) else {
                continue;
            };
            deadline = Instant::now() + PATIENCE;
            let place = (message.topic().to_owned(), message.partition());
            if missing.get(&place).is_some_and(|end| message.offset() + 1 >= *end) {
                missing.remove(&place);
            }
            each(message.detach());
        }
    }

    /// Reads until nothing comes for a second.
    pub fn read_rest(&mut self) {
        let mut last = Instant::now();
        while last.elapsed() < Duration::from_secs(1) {
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(100)) {
                self.messages.push(message.detach());
                last = Instant::now();
            }
        }
    }
}

/// A header's text.
#[must_use]
pub fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    found.value.map(|value| String::from_utf8_lossy(value).into_owned())
}

/// A message's key.
#[must_use]
pub fn key(message: &OwnedMessage) -> String {
    String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned()
}

/// The positions of the distinct events of each key (a topic and an aggregate id), in the order in which each came first.
#[must_use]
pub fn positions_by_key(messages: &[OwnedMessage]) -> BTreeMap<(String, String), Vec<i64>> {
    let mut found: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    for message in messages {
        let position = header(message, "ce_position").and_then(|text| text.parse().ok());
        let position = position.expect("a position");
        let positions = found.entry((message.topic().to_owned(), key(message))).or_default();
        if !positions.contains(&position) {
            positions.push(position);
        }
    }
    found
}

/// Sends a message as anyone could, and waits until it is there.
pub fn produce(
    brokers: &str,
    topic: &str,
    key: Option<&str>,
    payload: Option<&[u8]>,
    headers: &[(&str, &str)],
) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a producer");
    let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(*value) })
    });
    let mut record = BaseRecord::<str, [u8]>::to(topic).headers(headers);
    record.key = key;
    record.payload = payload;
    assert!(producer.send(record).is_ok(), "the message is taken");
    producer.flush(PATIENCE).expect("the message arrives");
}

/// Waits until the group has let go of everything in the topic; blocks.
///
/// # Panics
/// When it does not.
pub fn wait_until_consumed(options: &KafkaOptions, topic: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        .set("group.id", options.executors_group())
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let deadline = Instant::now() + PATIENCE;
    let second = Duration::from_secs(5);
    let mut places = TopicPartitionList::new();
    for partition in 0..options.partitions {
        places.add_partition(topic, partition);
    }
    let is_consumed = || {
        let committed = consumer.committed_offsets(places.clone(), second).ok()?;
        for place in committed.elements() {
            let (low, high) = consumer.fetch_watermarks(topic, place.partition(), second).ok()?;
            let at = place.offset().to_raw().unwrap_or(-1).max(low);
            if at < high {
                return None;
            }
        }
        Some(())
    };
    while is_consumed().is_none() {
        assert!(Instant::now() < deadline, "the group does not let go");
        thread::sleep(Duration::from_millis(50));
    }
}
