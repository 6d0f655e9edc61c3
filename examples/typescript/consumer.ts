// A consumer of argos-relay's topics in TypeScript, with KafkaJS.
//
// Owns the loop over what happened: the events, which the members of a group share (handled.ts). What is true now is in
// states.ts. Must not know the service: only the contract (docs/contract.md).
//
// Path: note the events' ends, read the state topic to its end, join the group. Each batch of events is saved together
// with its offset, so that after a crash nothing is handled twice or left out. Settings: see examples/README.md.

import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { report } from './digest.js';
import { Handled, STORE } from './handled.js';
import { States, endsOf } from './states.js';

const PREFIX = process.env.TOPIC_PREFIX ?? '';
const EVENTS = `${PREFIX}kyc.submission.events.v1`;
const GROUP = process.env.GROUP ?? 'example-typescript';
const UNTIL_END = Boolean(process.env.UNTIL_END);

async function main(): Promise<void> {
  let stop = false;
  process.once('SIGTERM', () => (stop = true));
  mkdirSync(STORE, { recursive: true });
  const kafka = new Kafka({ brokers: [process.env.KAFKA_BOOTSTRAP ?? '127.0.0.1:9092'], logLevel: logLevel.NOTHING });
  const ends = await endsOf(kafka, EVENTS);
  const states = await States.read(kafka, GROUP, `${PREFIX}kyc.submission.state.v1`);
  // KafkaJS reads committed records only, unless it is told otherwise (readUncommitted).
  const settings = { sessionTimeout: 6000, heartbeatInterval: 1000, maxBytesPerPartition: 65536 };
  const consumer = kafka.consumer({ groupId: GROUP, ...settings });
  const owned = new Map<number, Handled>();
  let taken = 0;
  const { CRASH, END_BATCH_PROCESS, GROUP_JOIN, REBALANCING } = consumer.events;
  consumer.on(REBALANCING, () => owned.clear());
  consumer.on(GROUP_JOIN, ({ payload }) => {
    owned.clear();
    for (const partition of payload.memberAssignment[EVENTS] ?? []) {
      const handled = Handled.open(partition, states, ends.get(partition) ?? 0);
      owned.set(partition, handled);
      consumer.seek({ topic: EVENTS, partition, offset: String(handled.offset) });
    }
  });
  // Also told of a batch that holds only markers of transactions. One that broke off is not told of, nor saved.
  consumer.on(END_BATCH_PROCESS, ({ payload }) => {
    const handled = owned.get(payload.partition);
    if (handled) {
      handled.offset = Number(payload.lastOffset) + 1;
      handled.save(payload.partition);
    }
  });
  consumer.on(CRASH, ({ payload }) => {
    console.error(payload.error);
    process.exit(1);
  });
  await consumer.connect();
  await consumer.subscribe({ topic: EVENTS, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) {
        const handled = owned.get(batch.partition);
        if (handled && Number(message.offset) >= handled.offset) {
          handled.take(message);
          taken += 1;
        }
      }
    },
  });
  const atEnd = () => [...ends].every(([partition, end]) => Handled.read(partition).offset >= end);
  while (!stop && !(UNTIL_END && atEnd())) {
    await sleep(100);
  }
  await consumer.disconnect();
  await states.close();
  report(states, [...ends.keys()].map((partition) => Handled.read(partition)), taken);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
