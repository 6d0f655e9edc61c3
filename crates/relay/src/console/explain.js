// One submission: the verdict, the entry, the timeline. Owns: how an explain document reads. Must not know: who asks.

import { byId, clock, count, day, el, fill, now, span, state, time } from './dom.js';

// What a verdict's code is to the eye; one that is not here is told as it is.
const VERDICTS = {
  published: ['ok', 'Published'], baseline: ['ok', 'A baseline, without an event'],
  look_pending: ['wait', 'Waits for its look'], parked: ['wait', 'Parked'], stale_read: ['wait', 'ARGOS showed an older state'],
  pending_at_argos: ['wait', 'Pending at ARGOS'], incomplete: ['wait', 'Incomplete at ARGOS'],
  suspected_deletion: ['warn', 'Perhaps deleted'], dead_lettered: ['bad', 'Given up, a dead letter'],
  webhook_never_came: ['warn', 'No webhook came'], claim_unconfirmed: ['warn', 'The claim is not confirmed'],
  argos_refuses: ['bad', 'ARGOS refuses'], argos_fails: ['bad', 'ARGOS fails'],
  deleted: ['gone', 'Deleted'], erased: ['gone', 'Erased'], unknown_to_argos: ['gone', 'Unknown to ARGOS'],
};
const KINDS = {
  hint: 'hint', event: 'event', get: 'get', dead_letter: 'bad', parked: 'wait', due: 'wait',
  hint_unconfirmed: 'warn', gap_repaired: 'warn', aborted: 'warn', lost: 'warn',
};
const words = (code) => code.replaceAll('_', ' ');
const sentence = (code) => words(code).replace(/^./, (first) => first.toUpperCase());

// The frame of the view; `fact` parts come and go below it.
export function frame(project, id, actions) {
  byId('explain').replaceChildren(
    el('a', { class: 'back', href: '#/' }, 'Back to the overview'),
    el('div', { class: 'title' },
      el('h2', { id: 'h-explain', tabindex: -1 }, el('span', { class: 'project' }, `${project}/`), el('span', { class: 'id' }, id)),
      el('button', { type: 'button', click: actions.look }, 'Look now')),
    el('p', { id: 'done', role: 'status' }),
    el('div', { id: 'story' }, el('p', { class: 'empty' }, 'Reading the topics…')));
}

export function failed(error) {
  fill(byId('story'), error.message, () => el('div', { class: 'panel verdict warn' },
    el('p', { class: 'headline' }, state('warn', 'It cannot be told now')), el('p', null, error.message)));
}

export function explain(document) {
  fill(byId('story'), { ...document, now: Math.floor(Date.parse(document.now) / 10_000) }, () =>
    [verdict(document), entry(document), timeline(document)]);
}

function verdict({ verdict: { code, text } }) {
  const [tone, headline] = VERDICTS[code] ?? ['note', sentence(code)];
  return el('div', { class: `panel verdict ${tone}` },
    el('p', { class: 'headline', 'data-code': code }, state(tone, headline)), el('p', null, text));
}

const from = (at) => (Date.parse(at) > now() ? `in ${span((Date.parse(at) - now()) / 1000)}` : `${span((now() - Date.parse(at)) / 1000)} ago`);
const moment = (at) => (at ? [time(at), el('span', { class: 'soft' }, ` ${from(at)}`)] : '–');

function entry({ entry: one, partition, owner }) {
  const holder = owner ? `${owner.instance}${owner.self ? ', this replica' : ''}` : 'nobody at the moment';
  const place = ['Partition', `${partition}, held by ${holder}`];
  const rows = one ? [
    ['KYC', words(one.kyc_status ?? 'none published')], ['AML', words(one.aml_status ?? 'none published')],
    ['Last event', one.sequence > 0 ? `no. ${one.sequence}` : 'none, a baseline'],
    ['Last look', one.last_look ? [moment(one.last_look.at), el('br'), words(one.last_look.outcome), one.last_look.rule && `, then ${words(one.last_look.rule)}`] : 'none that this replica remembers'],
    ['Next look', one.next_look ? [time(one.next_look.due), el('span', { class: 'soft' }, Date.parse(one.next_look.due) > now() ? ` ${from(one.next_look.due)}` : ' due now'), el('br'), one.next_look.text ?? words(one.next_look.reason)] : 'none is planned'],
    ['Open claims', one.claims.length ? one.claims.map((claim) => [claim.trigger, claim.kyc_status, claim.deleted && 'deleted'].filter(Boolean).join(': ')).join('; ') : 'none'],
    one.failures > 0 && ['Failed looks', count(one.failures)],
    one.grave && ['Grave', [words(one.grave.reason), ' ', moment(one.grave.at)]],
    place,
  ].filter(Boolean) : [place];
  return el('section', { class: 'panel', 'aria-labelledby': 'h-entry' }, el('h3', { id: 'h-entry' }, 'What the ledger says'),
    !one && el('p', null, 'The ledger has no entry: nothing was ever published of it.'),
    el('dl', { class: 'entry' }, rows.map(([name, value]) => el('div', null, el('dt', null, name), el('dd', null, value)))));
}

// A commit is told with the decision that it made durable: alone it says nothing.
function folded(items) {
  const kept = [];
  for (const item of items) {
    const before = kept.at(-1);
    if (item.kind === 'committed' && before?.kind === 'decision') kept[kept.length - 1] = { ...before, text: `${before.text}; committed` };
    else kept.push(item);
  }
  return kept;
}

function timeline({ timeline: items, topics, journal }) {
  let last = null;
  const rows = folded(items).flatMap((item) => {
    const newDay = !last || day(last) !== day(item.at);
    const since = last && !newDay ? `+${span((Date.parse(item.at) - Date.parse(last)) / 1000)}` : '';
    last = item.at;
    const facts = item.kind === 'event' && [item.kyc_status && `KYC ${words(item.kyc_status)}`, item.aml_status && `AML ${words(item.aml_status)}`,
      item.cause && `found by ${item.cause}`, item.agreement && `claim ${item.agreement}`].filter(Boolean).join(', ');
    return [
      newDay && el('li', { class: 'day' }, day(item.at)),
      el('li', { class: `${item.kind} ${item.source}` },
        el('time', { datetime: item.at, title: item.at }, clock(item.at), el('span', { class: 'ms' }, new Date(item.at).toISOString().slice(19, 23))),
        el('span', { class: 'since' }, since),
        state(KINDS[item.kind] ?? 'note', item.kind === 'event' && item.sequence ? `event ${item.sequence}` : words(item.kind)),
        el('span', { class: 'text' }, item.kind === 'event' ? item.type : item.text, facts && el('span', { class: 'soft' }, ` ${facts}`))),
    ];
  });
  return el('section', { class: 'panel', 'aria-labelledby': 'h-timeline' }, el('h3', { id: 'h-timeline' }, 'Timeline'),
    items.length ? el('ol', { class: 'timeline' }, rows) : el('p', { class: 'empty' }, 'Nothing is on the topics, and nothing in memory.'),
    el('p', { class: 'small' }, `From the topics: hints since ${stamp(topics.hints_from)}, events since ${stamp(topics.events_from)}`,
      topics.complete ? '. ' : ', not read to the end this time. ', details(journal)));
}

const stamp = (at) => (at ? `${day(at)} ${clock(at)}` : 'their beginning');

function details({ available, from: since, owner }) {
  if (available) return `GETs, shared looks and decisions come from the memory of ${owner ?? 'this replica'}, which reaches back to ${stamp(since)}.`;
  return owner ? `GETs, shared looks and decisions are in the memory of ${owner}, which holds the partition: ask its console for them.`
    : 'GETs, shared looks and decisions are not to be had: no replica holds the partition.';
}
