//! Topics are created by `backtrail migrate`, once.

use tests::{TestDatabase, kafka::TestKafka};

use super::binary;

#[tokio::test(flavor = "multi_thread")]
async fn migrating_creates_the_topics_and_says_where_partitions_differ() {
    let kafka = TestKafka::shared().await;
    if !kafka.is_real() {
        return;
    }
    let (database, options) = (TestDatabase::new().await, kafka.options());
    let topic = options.topic("backtest");
    let first = binary(&database.url, &options).succeed(&["migrate"]);
    for name in ["strategy", "backtest", "ledger", "sweep", "dead_letter"] {
        let line = format!("topic {}: created with 3 partitions", options.topic(name));
        assert!(first.contains(&line), "{first}");
    }
    let again = binary(&database.url, &options).succeed(&["migrate"]);
    assert!(again.contains(&format!("topic {topic}: exists with 3 partitions\n")), "{again}");
    let more = infra::kafka::KafkaOptions { partitions: 5, ..options };
    let differing = binary(&database.url, &more).succeed(&["migrate"]);
    let line = format!(
        "topic {topic}: exists with 3 partitions; kafka.partitions is 5, \
         but the number is fixed when a topic is created"
    );
    assert!(differing.contains(&line), "{differing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_not_there_are_named() {
    let database = TestDatabase::new().await;
    let kafka = TestKafka::shared().await;
    let nobody =
        infra::kafka::KafkaOptions { brokers: "127.0.0.1:1".to_owned(), ..kafka.options() };
    let complaint = binary(&database.url, &nobody).fail(&["migrate"]);
    assert!(complaint.contains("the brokers of kafka.brokers do not respond"), "{complaint}");
}
