// The flow picture: webhooks and sweeps, hints, lanes, ARGOS, Kafka. Owns: where each part stands, and the dots that
// move along the ways, faster with the rate. Must not know: where the numbers come from.

import { count, plural, rate, svg } from './dom.js';

const NARROW = 760;
const WIDE_HEIGHT = 232;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

// [from, to, lane's colour]
const WAYS = [
  ['webhooks', 'hints', 'live'], ['sweeps', 'hints', 'bulk'],
  ['hints', 'live', 'live'], ['hints', 'bulk', 'bulk'], ['hints', 'unknown', 'bulk'],
  ['live', 'argos', 'live'], ['bulk', 'argos', 'bulk'], ['unknown', 'argos', 'bulk'], ['later', 'argos', 'bulk'],
  ['argos', 'kafka', 'live'],
];

function wide(width) {
  const gap = Math.max(34, width * 0.045);
  const w = (width - 4 * gap) / 5;
  const x = (column) => column * (w + gap);
  const lane = (n) => ({ x: x(2), y: n * 59, w, h: 55 });
  return {
    height: WIDE_HEIGHT, sideways: true,
    places: {
      webhooks: { x: x(0), y: 0, w, h: 110 }, sweeps: { x: x(0), y: 122, w, h: 110 },
      hints: { x: x(1), y: 61, w, h: 110 },
      live: lane(0), bulk: lane(1), unknown: lane(2), later: lane(3),
      argos: { x: x(3), y: 61, w, h: 110 }, kafka: { x: x(4), y: 61, w, h: 110 },
    },
  };
}

function narrow(width) {
  const half = (width - 12) / 2;
  const right = half + 12;
  return {
    height: 676, sideways: false,
    places: {
      webhooks: { x: 0, y: 0, w: half, h: 112 }, sweeps: { x: right, y: 0, w: half, h: 112 },
      hints: { x: 0, y: 142, w: width, h: 112 },
      live: { x: 0, y: 284, w: half, h: 55 }, bulk: { x: right, y: 284, w: half, h: 55 },
      unknown: { x: 0, y: 341, w: half, h: 55 }, later: { x: right, y: 341, w: half, h: 55 },
      argos: { x: 0, y: 426, w: width, h: 110 }, kafka: { x: 0, y: 566, w: width, h: 110 },
    },
  };
}

// A curve from side to side, or from bottom to top.
function way(from, to, sideways) {
  if (sideways) {
    const [a, b] = [from.y + from.h / 2, to.y + to.h / 2];
    const [start, end] = [from.x + from.w, to.x];
    const bend = (end - start) / 2;
    return `M${start} ${a}C${start + bend} ${a} ${end - bend} ${b} ${end} ${b}`;
  }
  const [a, b] = [from.x + from.w / 2, to.x + to.w / 2];
  const meet = to.w > from.w ? a : b;
  const [start, end] = [from.y + from.h, to.y];
  const bend = (end - start) / 2;
  return `M${to.w < from.w ? b : a} ${start}C${to.w < from.w ? b : a} ${start + bend} ${meet} ${end - bend} ${meet} ${end}`;
}

// What stands in each part: title, number, unit, two lines, and the rate on the way out of it.
function words({ flow, totals = {}, projects }) {
  const sum = (pick) => projects.reduce((all, project) => all + (pick(project) ?? 0), 0);
  const queue = (name) => sum((project) => project.queue[name]);
  const walking = projects.flatMap((project) => project.sweeps).filter(({ state }) => state === 'running');
  const open = projects.filter(({ breaker }) => breaker.state !== 'closed').length;
  const waiting = (name, title) => ({ title, number: count(queue(name)), unit: 'waiting', pace: Math.min(queue(name), 2) });
  return {
    webhooks: { title: 'Webhooks', number: rate(flow.webhooks), unit: '/s', pace: flow.webhooks,
      lines: [`${count(totals.webhooks)} taken in`, `${count(totals.refused)} refused`] },
    sweeps: { title: 'Sweeps', number: count(walking.length), unit: 'running', pace: walking.length,
      lines: [walking.length ? `${count(walking.reduce((all, { rows }) => all + rows, 0))} rows read` : 'none at the moment'] },
    hints: { title: 'Hints', number: rate(flow.hints), unit: '/s', pace: flow.hints,
      lines: [`${count(totals.hints)} read`, `${count(totals.coalesced)} shared a look`] },
    live: { ...waiting('live', 'Live lane'), pace: flow.hints }, bulk: waiting('bulk', 'Bulk lane'),
    unknown: waiting('unknown', 'Unknown ids'),
    later: { title: 'Looks again', number: count(queue('due')), unit: `due, ${count(queue('parked'))} parked`, pace: Math.min(queue('due'), 2) },
    argos: { title: 'ARGOS', number: rate(flow.gets), unit: 'GET/s', pace: flow.events, tone: open ? 'bad' : '',
      lines: [`${count(totals.gets)} made, ${count(queue('in_flight'))} under way`,
        open ? `${plural(open, 'breaker')} of ${count(projects.length)} not closed` : 'breakers closed'] },
    kafka: { title: 'Kafka', number: rate(flow.events), unit: 'events/s',
      lines: [`${count(totals.events)} published`, `${rate(flow.commits)} commits/s`] },
  };
}

export class Flow {
  constructor(place) {
    this.place = place;
    this.still = false;
    new ResizeObserver(() => this.seen && this.show(this.seen)).observe(place);
    calm.addEventListener('change', () => this.move());
  }

  show(status) {
    this.seen = status;
    const width = this.place.clientWidth;
    if (!width) return;
    if (width !== this.width) this.lay(width);
    this.parts = words(status);
    for (const [name, part] of Object.entries(this.parts)) this.write(this.nodes[name], part);
    const { webhooks, hints, argos, kafka } = this.parts;
    this.picture.setAttribute('aria-label', `${webhooks.number} webhooks a second come in as ${hints.number} hints; ` +
      `${argos.number} requests a second to ARGOS; ${kafka.number} events a second to Kafka. ${argos.lines[1]}.`);
    this.move();
  }

  // Laid out once for a width; after that only words and speeds change, so that nothing jumps.
  lay(width) {
    this.width = width;
    const { height, sideways, places } = width < NARROW ? narrow(width) : wide(width);
    this.nodes = {};
    this.dots = WAYS.map(([from, to, colour]) => {
      const d = way(places[from], places[to], sideways);
      const dots = svg('path', { class: `dots ${colour}`, d });
      // The lanes divide what comes from the hints: what goes into one, goes on.
      return { of: from === 'hints' ? to : from, dots, line: svg('path', { class: 'way', d }) };
    });
    const boxes = Object.entries(places).map(([name, at]) => this.box(name, at));
    this.picture = svg('svg', { role: 'img', width, height, viewBox: `0 0 ${width} ${height}` },
      this.dots.map(({ line }) => line), this.dots.map(({ dots }) => dots), boxes);
    this.place.replaceChildren(this.picture);
  }

  box(name, { x, y, w, h }) {
    const text = (css, left, top) => svg('text', { class: css, x: left, y: top });
    const number = svg('tspan', { class: 'number' });
    const unit = svg('tspan', { class: 'unit', dx: 5 });
    const lane = h < 60;
    const title = text('title', x + 13, y + (lane ? 20 : 23));
    const value = text('value', x + 13, y + (lane ? 43 : 53));
    value.append(number, unit);
    const lines = lane ? [] : [text('line', x + 13, y + 77), text('line', x + 13, y + 95)];
    const group = svg('g', { 'data-part': name }, svg('rect', { x, y, width: w, height: h, rx: 7 }),
      svg('rect', { class: 'edge', x, y: y + 9, width: 3, height: h - 18, rx: 1.5 }), title, value, lines);
    this.nodes[name] = { group, title, number, unit, lines };
    return group;
  }

  write({ group, title, number, unit, lines }, part) {
    group.setAttribute('class', `part ${part.tone ?? ''}`);
    title.textContent = part.title;
    number.textContent = part.number;
    unit.textContent = part.unit;
    lines.forEach((line, n) => { line.textContent = part.lines[n] ?? ''; });
  }

  // Dots along a way whose rate is not zero: one part in a second at 1/s, and no more than three times that.
  move() {
    for (const way of this.dots ?? []) {
      const pace = this.parts[way.of].pace ?? 0;
      way.dots.classList.toggle('none', !(pace > 0));
      if (calm.matches) { way.moving?.cancel(); way.moving = null; continue; }
      way.moving ??= way.dots.animate({ strokeDashoffset: [0, -22] },
        { duration: 1400, iterations: Infinity, easing: 'steps(22)' });
      way.moving.updatePlaybackRate(0.35 + Math.min(1.6, Math.log10(1 + pace)));
      if (this.still || !(pace > 0)) way.moving.pause();
      else if (way.moving.playState !== 'running') way.moving.play();
    }
  }
}
