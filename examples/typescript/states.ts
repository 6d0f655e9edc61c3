// What is true now: the compacted state topic, which every member reads whole, and goes on reading.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, Kafka, KafkaMessage } from 'kafkajs';
import type { KycSubmissionStateV1 } from './contract/state';

/** Partition to the end as a committed reader sees it: before what an open transaction has written. */
export async function endsOf(kafka: Kafka, topic: string): Promise<Map<number, number>> {
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return new Map(offsets.map((one) => [one.partition, Number(one.offset)]));
}

export class States {
  readonly rows = new Map<string, { partition: number; snapshot: KycSubmissionStateV1 }>();
  private readonly approved = new Map<string, Map<string, { at: string; submission: string }>>();

  private constructor(private readonly consumer: Consumer) {}

  /** Reads to the end that it finds, and goes on. KafkaJS assigns nothing by hand: each process has a group of its own. */
  static async read(kafka: Kafka, group: string, topic: string): Promise<States> {
    const consumer = kafka.consumer({ groupId: `${group}-state-${randomUUID()}` });
    const states = new States(consumer);
    const ends = await endsOf(kafka, topic);
    const position = new Map<number, number>();
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      position.set(payload.partition, Number(payload.lastOffset) + 1);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      console.error(payload.error);
      process.exit(1);
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => states.apply(partition, message),
    });
    while (![...ends].every(([partition, end]) => (position.get(partition) ?? 0) >= end)) {
      await sleep(50);
    }
    return states;
  }

  close(): Promise<void> {
    return this.consumer.disconnect();
  }

  private apply(partition: number, message: KafkaMessage): void {
    const key = String(message.key);
    const old = this.rows.get(key);
    if (old) {
      this.approved.get(user(old.snapshot))?.delete(key);
      this.rows.delete(key);
    }
    if (message.value === null) {
      return; // deleted, or erased by an operator, of which no event tells
    }
    const snapshot: KycSubmissionStateV1 = JSON.parse(String(message.value));
    this.rows.set(key, { partition, snapshot });
    if (snapshot.kyc.status === 'approved' && snapshot.submission.user_id != null) {
      // All times on the topics are written alike: they sort as texts.
      const at = snapshot.kyc.decided_at ?? snapshot.vendor_updated_at ?? snapshot.submission.created_at ?? '';
      const all = this.approved.get(user(snapshot)) ?? new Map();
      this.approved.set(user(snapshot), all.set(key, { at, submission: snapshot.submission.id }));
    }
  }

  /** The view: the latest approved submission of each user. */
  latestApproved(): Map<string, string> {
    const found = new Map<string, string>();
    for (const [user, all] of this.approved) {
      const later = (one: { at: string; submission: string }) => `${one.at} ${one.submission}`;
      const latest = [...all.values()].sort((one, other) => (later(one) < later(other) ? 1 : -1))[0];
      if (latest) {
        found.set(user, latest.submission);
      }
    }
    return found;
  }

  /** The sequence of each submission of one partition. */
  sequences(partition: number): Record<string, number> {
    const here = [...this.rows].filter(([, row]) => row.partition === partition);
    return Object.fromEntries(here.map(([key, row]) => [key, row.snapshot.sequence]));
  }
}

function user(snapshot: KycSubmissionStateV1): string {
  return `${snapshot.submission.project}/${snapshot.submission.user_id}`;
}
