// The events as the CloudEvents SDK reads them, one JSON document a line, to the end of the topic.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CloudEvent, Kafka as Binding, type KafkaMessage } from 'cloudevents';
import { Kafka, logLevel } from 'kafkajs';
import { endsOf } from './states.js';

async function main(): Promise<void> {
  const topic = `${process.env.TOPIC_PREFIX ?? ''}kyc.submission.events.v1`;
  const kafka = new Kafka({ brokers: [process.env.KAFKA_BOOTSTRAP ?? '127.0.0.1:9092'], logLevel: logLevel.NOTHING });
  const [ends, position] = [await endsOf(kafka, topic), new Map<number, number>()];
  const consumer = kafka.consumer({ groupId: `example-cloudevents-${randomUUID()}` });
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    position.set(payload.partition, Number(payload.lastOffset) + 1);
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      const pairs = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
      const headers = Object.fromEntries(pairs);
      const got: KafkaMessage = { headers, key: String(message.key), value: String(message.value), body: '' };
      console.log(JSON.stringify((Binding.toEvent(got) as CloudEvent<unknown>).toJSON()));
    },
  });
  while (![...ends].every(([partition, end]) => (position.get(partition) ?? 0) >= end)) {
    await sleep(50);
  }
  await consumer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
