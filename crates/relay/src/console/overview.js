// The parts of the overview. Owns: what of each answer is shown, and in which words. Must not know: when it is asked for.

import { chart, highest, mean } from './charts.js';
import { ago, byId, clock, count, day, el, fill, now, percent, plural, rate, span, state, table, time } from './dom.js';

export const link = (project, id) =>
  `#/explain/${encodeURIComponent(project)}/${encodeURIComponent(id)}`;
export const key = (project, id, place) => el('a', {
  class: 'key-of', title: `${project}/${id}`, href: link(project, id), 'data-key': `${place}:${project}/${id}`,
}, el('span', { class: 'project' }, `${project}/`), el('span', { class: 'id' }, id));

export function head(status) {
  const { instance, version, role, started_at: started, health } = status;
  fill(byId('replica'), [instance, version, role, span((now() - Date.parse(started)) / 1000)], ([, , , up]) =>
    [el('b', null, instance), ` role ${role}, version ${version}, up ${up}`]);
  const missing = [...health.started.conditions, ...health.ready.conditions].filter(({ ok }) => !ok);
  fill(byId('health'), missing.concat(health.ready.ok), () => (missing.length
    ? state('bad', `Not ready: ${missing.map(({ name, reason }) => (reason ? `${name} (${reason})` : name)).join(', ')}`)
    : state(health.ready.ok ? 'ok' : 'bad', health.ready.ok ? 'Ready' : 'Not ready')));
}

// ---- projects: breaker, budget, queue, sweeps

const BREAKERS = { closed: ['ok', 'Breaker closed'], half_open: ['wait', 'Breaker half open'], open: ['bad', 'Breaker open'] };

export function projects(status) {
  const walker = status.members.find((member) => member.partitions.includes(0))?.instance;
  fill(byId('projects'), [status.projects, walker, Math.floor(now() / 5000)], () => (status.projects.length
    ? status.projects.map((one) => project(one, walker)) : el('p', { class: 'empty panel' }, status.role === 'ingest'
      ? 'This replica only takes webhooks in. Ask one of role all or reconciler.' : 'The loop does not tell. It may not have started yet.')));
}

function project({ id, breaker, budget, queue, deletions, sweeps }, walker) {
  const [shape, word] = BREAKERS[breaker.state] ?? ['note', breaker.state];
  const facts = [
    ['live', queue.live], ['bulk', queue.bulk], ['unknown ids', queue.unknown],
    ['due', queue.due], ['parked', queue.parked], ['under way', queue.in_flight],
  ];
  return el('section', { class: 'panel', 'aria-label': `Project ${id}` },
    el('div', { class: 'title' }, el('h3', null, id), state(shape, word)),
    breaker.reason && el('p', { class: 'reason' }, `${breaker.reason}${breaker.since ? `; since ${clock(breaker.since)}, ${ago(breaker.since)}` : ''}`),
    quota(budget),
    el('dl', { class: 'facts' }, facts.map(([name, n]) => el('div', { class: n ? '' : 'zero' }, el('dt', null, name), el('dd', null, count(n))))),
    sweeps.length > 0 ? el('ul', { class: 'sweeps', 'aria-label': 'Sweeps' }, sweeps.filter(once).map(sweep))
      : el('p', { class: 'small' }, `Sweeps run where partition 0 is held${walker ? `: ${walker}` : ''}`),
    el('p', { class: 'small' }, `${count(deletions.this_hour)} of at most ${plural(deletions.max_per_hour, 'inferred deletion')} this hour`));
}

const bar = (part, label, tone = '') => el('progress', { max: 1, value: Math.min(1, part), class: tone, 'aria-label': label });

function quota({ per_second: perSecond, rate_now: rateNow, per_day: perDay, spent_today: spent, share }) {
  const mine = perDay * share;
  const part = mine > 0 ? spent / mine : 0;
  const tone = part >= 0.95 ? 'bad' : part >= 0.8 ? 'warn' : '';
  const slowed = rateNow < perSecond * share * 0.99;
  return el('div', { class: 'quota' },
    el('p', null, el('span', null, tone ? state('warn', `Day’s budget ${percent(part)} spent`, tone) : `Day’s budget ${percent(part)} spent`),
      el('span', { class: 'number' }, `${count(spent)} of ${count(mine)}`)),
    bar(part, 'Share of the day’s budget that is spent', tone),
    el('p', { class: 'small' }, `At most ${rate(rateNow)} requests/s${slowed ? `, slowed from ${rate(perSecond * share)}` : ''}`,
      share < 1 ? `; this replica’s ${percent(share)} of the project’s budget` : ''));
}

// A backfill is there once it was asked for.
const once = ({ name, started_at: started }) => name !== 'backfill' || started;

function sweep({ name, state: doing, rows, estimate, started_at: started, finished_at: finished, due_at: due, complete }) {
  const running = doing === 'running';
  const ended = finished ? `${complete ? 'walked' : 'ended early'} ${ago(finished)}` : 'never walked';
  const wait = due ? `, next ${Date.parse(due) > now() ? `in ${span((Date.parse(due) - now()) / 1000)}` : 'due now'}` : '';
  const text = running ? `${plural(rows, 'row')}, begun ${ago(started)}` : `${ended}${wait}`;
  return el('li', null,
    state(running ? 'get' : finished && complete ? 'ok' : doing === 'waiting' || !finished ? 'wait' : 'warn', name, running ? 'live' : undefined),
    el('span', null, text),
    el('span', { class: 'number' }, running ? (estimate === null ? 'walking' : percent(estimate)) : finished ? plural(rows, 'row') : ''),
    running && bar(estimate ?? 0, `Progress of sweep ${name}`));
}

// ---- partitions and members

export function partitions({ instance, partitions: { total, held }, members }) {
  fill(byId('held'), [total, held], () => {
    const entries = held.reduce((all, one) => all + one.entries, 0);
    const lag = held.reduce((all, one) => all + one.live_lag, 0);
    return [held.length ? `This replica holds ${count(held.length)} of ${count(total)}, with ${plural(entries, 'submission')}; ${count(lag)} live hints not read yet`
      : `This replica holds none of ${count(total)}`];
  });
  fill(byId('partitions'), [instance, total, held, members], () => {
    if (!members.length) return el('p', { class: 'empty' }, 'Kafka names no member of the group at the moment. It is asked again by itself.');
    const mine = new Map(held.map((one) => [one.partition, one]));
    const owned = new Set(members.flatMap((member) => member.partitions));
    const nobody = Array.from({ length: total }, (_, n) => n).filter((n) => !owned.has(n));
    return [
      el('ul', { class: 'members' }, members.map((member) => el('li', null,
        el('span', { class: 'who' }, el('b', null, member.instance), member.instance === instance && ' this replica'),
        el('ul', { class: 'cells', 'aria-label': `Partitions of ${member.instance}` },
          member.partitions.map((n) => cell(n, member.instance === instance ? mine.get(n) : null)))))),
      nobody.length > 0 && el('p', { class: 'reason' }, state('warn', `Nobody holds ${nobody.join(', ')}`)),
    ];
  });
}

function cell(n, held) {
  const lag = held ? held.live_lag + held.bulk_lag : 0;
  const restoring = held && held.state !== 'ready';
  const text = restoring ? `${held.state} ${percent(held.restored)}${held.note ? `, ${held.note}` : ''}` : lag > 0 ? `${count(lag)} behind` : '';
  return el('li', { class: restoring ? 'restoring' : held ? 'mine' : '' }, el('b', null, String(n)), text && ` ${text}`);
}

// ---- lines, events, dead letters

export function lines({ points }) {
  chart(byId('lag'), points, [
    { key: 'lag_p50', label: 'p50', css: 'first', ...highest }, { key: 'lag_p99', label: 'p99', css: 'second', ...highest },
  ], span, 'Confirm lag over the last hour');
  chart(byId('rates'), points, [
    { key: 'webhooks', label: 'webhooks', css: 'first', ...mean }, { key: 'gets', label: 'GETs', css: 'second', ...mean },
    { key: 'events', label: 'events', css: 'third', ...mean },
  ], rate, 'Webhooks, GETs and events a second over the last hour');
}

// `kyc.submission.approved.v1`: the first and the last word tell it apart.
export const eventName = (type) => type.replace(/\.v\d+$/, '').replace('.submission.', ' ').replace('.', ' ').replace('.', ' ');
const SHAPES = { approved: 'ok', rejected: 'bad', deleted: 'gone', pending: 'wait', changed: 'warn' };
const eventState = (type) => state(SHAPES[eventName(type).split(' ').at(-1)] ?? 'event', eventName(type));

export function events({ events: rows }) {
  fill(byId('events'), [rows, day(now())], () => (rows.length
    ? el('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Latest events' }, table('Latest events', [
      { title: 'Time', cell: (row) => time(row.at) },
      { title: 'Event', cell: (row) => eventState(row.type) },
      { title: 'Submission', cell: (row) => key(row.project, row.id, `e${row.partition}.${row.offset}`) },
      { title: 'No.', number: true, cell: (row) => String(row.sequence) },
      { title: 'Cause', cell: (row) => row.cause },
      { title: 'Claim', cell: (row) => row.agreement },
    ], rows, 'rows'))
    : el('p', { class: 'empty' }, 'No event is on the topic yet. A first webhook, or the next sweep, brings one.')));
}

const REASONS = {
  unreadable: 'answer not readable', hint_undecodable: 'hint not readable', unknown_project: 'unknown project',
};

const again = (row, at, redrive) => (at ? state('ok', clock(at)) : el('button', {
  type: 'button', 'data-key': `r${row.partition}.${row.offset}`, 'aria-label': `Redrive ${row.project}/${row.id}`, click: () => redrive(row),
}, 'Redrive'));

// `handed`: when a submission was handed in again from this page.
export function letters({ dead_letters: rows }, handed, redrive) {
  fill(byId('letters'), [rows, [...handed], day(now())], () => (rows.length ? [
    el('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Dead letters' }, table('Dead letters', [
      { title: 'Time', cell: (row) => time(row.at) },
      { title: 'Submission', cell: (row) => (row.project && row.id ? key(row.project, row.id, `l${row.partition}.${row.offset}`) : 'not known') },
      { title: 'Why', cell: (row) => el('span', { title: row.reason }, REASONS[row.reason] ?? row.reason) },
      { title: 'Tries', number: true, cell: (row) => count(row.attempts ?? NaN) },
      { title: 'Again', cell: (row) => row.project && row.id && again(row, handed.get(`${row.project}/${row.id}`), redrive) },
    ], rows, 'rows')),
    el('p', { class: 'actions' }, el('button', { type: 'button', 'data-key': 'all', click: () => redrive(null) }, 'Redrive all')),
  ] : el('p', { class: 'empty' }, state('ok', 'None. Nothing was given up.'))));
}
