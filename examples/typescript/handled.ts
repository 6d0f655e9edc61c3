// What was handled of one partition: its offset, each submission's last sequence, the ids, the counts.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KafkaMessage } from 'kafkajs';
import type { KycSubmissionApprovedV1 } from './contract/approved';
import type { States } from './states.js';

export const STORE = process.env.STORE ?? 'store';
const HISTORY = Boolean(process.env.HISTORY);
const file = (partition: number) => join(STORE, `${partition}.json`);

export class Handled {
  offset = -1;
  last: Record<string, number> = {};
  ids: Record<string, true> = {};
  count = { events: 0, approvals: 0, duplicates: 0, older: 0, gaps: 0 };

  static read(partition: number): Handled {
    const saved = existsSync(file(partition)) ? JSON.parse(readFileSync(file(partition), 'utf8')) : {};
    return Object.assign(new Handled(), saved);
  }

  /** As it was saved; else from the noted end on, or with HISTORY from the beginning, when nothing was known. */
  static open(partition: number, states: States, end: number): Handled {
    const handled = Handled.read(partition);
    if (handled.offset < 0) {
      handled.offset = HISTORY ? 0 : end;
      handled.last = HISTORY ? {} : states.sequences(partition); // the same number on both topics
      handled.save(partition);
    }
    return handled;
  }

  /** All or nothing: the new file replaces the old one. In earnest, this is your database's transaction. */
  save(partition: number): void {
    const next = join(STORE, `${partition}.${process.pid}`);
    writeFileSync(next, JSON.stringify(this));
    renameSync(next, file(partition));
  }

  take(message: KafkaMessage): void {
    const header = (name: string) => String(message.headers?.[name]);
    const [key, id, sequence] = [String(message.key), header('ce_id'), Number(header('ce_sequence'))];
    if (this.ids[id]) {
      this.count.duplicates += 1;
      return;
    }
    this.ids[id] = true;
    let last = this.last[key];
    if (last === undefined) {
      // New to us: its first event, unless it was deleted before we began and has come back.
      const event: Pick<KycSubmissionApprovedV1, 'previous'> = JSON.parse(String(message.value));
      last = event.previous?.kyc_status === 'deleted' ? sequence - 1 : 0;
    }
    if (sequence <= last) {
      this.count.older += 1; // the state that we began with has it already
      return;
    }
    this.count.gaps += sequence > last + 1 ? 1 : 0;
    this.count.events += 1;
    this.last[key] = sequence;
    if (header('ce_type') === 'kyc.submission.approved.v1') {
      // Here an application would act; it ignores other types.
      const { submission }: KycSubmissionApprovedV1 = JSON.parse(String(message.value));
      this.count.approvals += `${submission.project}/${submission.id}` === key ? 1 : 0;
    }
  }
}
