// The one line by which consumers are compared: docs/contract.md, "How to test a consumer".

import { createHash } from 'node:crypto';
import type { Handled } from './handled.js';
import type { States } from './states.js';

const KYC = ['incomplete', 'pending', 'approved', 'rejected', 'deleted'];
const AML = ['not_screened', 'clear', 'red_flag'];

/** Enums are open: a word of a later release is `unknown`, never an error. */
const word = (value: string, known: string[]) => (known.includes(value) ? value : 'unknown');

export function report(states: States, handled: Handled[], taken: number): void {
  const last: Record<string, number> = Object.assign({}, ...handled.map((one) => one.last));
  const lines: string[] = [];
  let unknown = 0;
  for (const [key, { snapshot }] of states.rows) {
    const [kyc, aml] = [word(snapshot.kyc.status, KYC), word(snapshot.aml.status, AML)];
    lines.push(`${key} ${last[key] ?? snapshot.sequence} ${kyc} ${aml}\n`);
    unknown += kyc === 'unknown' || aml === 'unknown' ? 1 : 0;
  }
  const users = [...states.latestApproved()].map(([user, submission]) => `${user} ${submission}\n`);
  const digest = createHash('sha256').update(lines.sort().join('') + users.sort().join('')).digest('hex');
  const names = ['events', 'approvals', 'duplicates', 'older', 'gaps'] as const;
  const counts = names.map((name) => `${name}=${handled.reduce((sum, one) => sum + one.count[name], 0)}`).join(' ');
  const sizes = `submissions=${lines.length} users=${users.length}`;
  console.log(`digest=${digest} ${sizes} ${counts} unknown=${unknown} taken=${taken}`);
}
