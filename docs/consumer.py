"""Reads events from Backtrail's topics, each once: python consumer.py BROKERS TOPIC… (needs confluent-kafka)."""

import json
import sys

from confluent_kafka import Consumer

brokers, topics = sys.argv[1], sys.argv[2:]
consumer = Consumer({
    "bootstrap.servers": brokers,
    "group.id": "example",
    "partition.assignment.strategy": "cooperative-sticky",
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,
})
consumer.subscribe(topics)
seen = {}  # The last sequence of each aggregate: a message may arrive twice.
ends = set()
while True:
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        ends.add((message.topic(), message.partition()))
        if len(ends) == len(consumer.assignment()):
            break  # All read; a service would continue.
        continue
    headers = {name: value.decode() for name, value in message.headers()}
    stream = (message.topic(), message.key().decode())
    sequence = int(headers["ce_sequence"])
    if sequence <= seen.get(stream, 0):
        continue
    seen[stream] = sequence
    print(headers["ce_position"], headers["ce_type"], stream[1], json.loads(message.value()))
consumer.close()
