// Lines over the last hour. Owns: scales, axes, the reading under the pointer, and the table that says the same.
// Must not know: what a line means.

import { clock, el, fill, svg, table } from './dom.js';

const HEIGHT = 190;
const PAD = { left: 46, right: 10, top: 12, bottom: 24 };
const MINUTE = 60_000;
// A table of 360 rows helps nobody: one row for each of these.
const ROW = 5 * MINUTE;

// A round step, so that at most four lines cross the chart.
function step(top) {
  const size = 10 ** Math.floor(Math.log10(top / 4));
  return [1, 2, 5, 10].map((n) => n * size).find((n) => top / n <= 4);
}

// `lines`: { key, label, css, fold }, `fold` makes one number of a row's; `unit` writes a number for people.
export function chart(place, points, lines, unit, caption) {
  const times = points.map((point) => Date.parse(point.at));
  const has = points.some((point) => lines.some(({ key }) => point[key] !== null));
  if (!has) {
    fill(place, [], () => el('p', { class: 'empty' }, 'Nothing was measured in the last hour.'));
    return;
  }
  const width = place.clientWidth;
  const wasOpen = place.querySelector('details')?.open ?? false;
  fill(place, [points, width], () => {
    const reading = el('p', { class: 'legend' });
    const picture = draw(points, times, lines, unit, width, reading, caption);
    const details = el('details', { open: wasOpen }, el('summary', { 'data-key': 'table' }, 'As a table'),
      el('div', { class: 'scroll' }, asTable(points, times, lines, unit, caption)));
    return [reading, picture, details];
  });
}

function draw(points, times, lines, unit, width, reading, caption) {
  const end = times.at(-1);
  const start = end - 60 * MINUTE;
  const most = Math.max(...points.flatMap((point) => lines.map(({ key }) => point[key] ?? 0)), 1e-3);
  const each = step(most * 1.05);
  const top = Math.ceil((most * 1.02) / each) * each;
  const x = (at) => PAD.left + ((at - start) / (end - start)) * (width - PAD.left - PAD.right);
  const y = (value) => HEIGHT - PAD.bottom - (value / top) * (HEIGHT - PAD.bottom - PAD.top);

  const across = Array.from({ length: Math.round(top / each) + 1 }, (_, n) => n * each).map((value) => [
    svg('line', { class: 'grid', x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value) }),
    svg('text', { x: PAD.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, value === 0 ? '0' : unit(value).replace('.0', '')),
  ]);
  const every = (width < 460 ? 20 : 10) * MINUTE;
  const hours = [];
  for (let at = Math.ceil(start / every) * every; at <= end; at += every) {
    if (x(at) > PAD.left + 14 && x(at) < width - 24) {
      hours.push(svg('text', { x: x(at), y: HEIGHT - 6, 'text-anchor': 'middle' }, clock(at).slice(0, 5)));
    }
  }
  const traces = lines.map(({ key, css }) => {
    const [line, spots] = trace(points, times, key, x, y);
    return [svg('path', { class: `trace ${css}`, d: line }), svg('path', { class: `spots ${css}`, d: spots })];
  });
  const cursor = svg('line', { class: 'cursor', y1: PAD.top, y2: HEIGHT - PAD.bottom, visibility: 'hidden' });

  const tell = (at) => reading.replaceChildren(
    ...lines.map(({ key, label, css }) => el('span', { class: `key ${css}` }, `${label} `,
      el('b', null, points[at][key] === null ? '–' : unit(points[at][key])))),
    el('span', { class: 'at' }, at === points.length - 1 ? 'now' : clock(points[at].at)));
  tell(points.length - 1);
  const follow = (event) => {
    const at = start + ((event.offsetX - PAD.left) / (width - PAD.left - PAD.right)) * (end - start);
    const nearest = times.reduce((best, time, n) => (Math.abs(time - at) < Math.abs(times[best] - at) ? n : best), 0);
    cursor.setAttribute('x1', x(times[nearest]));
    cursor.setAttribute('x2', x(times[nearest]));
    cursor.setAttribute('visibility', 'visible');
    tell(nearest);
  };
  const leave = () => { cursor.setAttribute('visibility', 'hidden'); tell(points.length - 1); };
  return svg('svg', {
    class: 'chart', width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img',
    'aria-label': `${caption}: a line chart; the table below says the same`, pointermove: follow, pointerleave: leave,
  }, across, hours, traces, cursor);
}

// The line, with a gap where nothing was measured, and the spots: points that have no neighbour, and so no line.
function trace(points, times, key, x, y) {
  const since = times.at(-1) - 60 * MINUTE;
  const has = (n) => points[n]?.[key] !== null && points[n]?.[key] !== undefined && times[n] >= since;
  let line = '';
  let spots = '';
  points.forEach((point, n) => {
    if (!has(n)) return;
    const at = `${x(times[n]).toFixed(1)} ${y(point[key]).toFixed(1)}`;
    if (has(n - 1)) line += `L${at}`;
    else if (has(n + 1)) line += `M${at}`;
    else spots += `M${at}h.01`;
  });
  return [line, spots];
}

function asTable(points, times, lines, unit, caption) {
  const rows = Map.groupBy(points.map((_, n) => n), (n) => Math.floor(times[n] / ROW) * ROW);
  const folded = [...rows].reverse().map(([at, members]) => [at, ...lines.map(({ key, fold }) => {
    const values = members.map((n) => points[n][key]).filter((value) => value !== null);
    return values.length ? unit(fold(values)) : '–';
  })]);
  const columns = ['From (UTC)', ...lines.map(({ label, folds }) => `${label}, ${folds}`)];
  return table(caption, columns.map((title, n) => ({
    title, number: n > 0, cell: (row) => (n ? row[n] : clock(row[0]).slice(0, 5)),
  })), folded);
}

export const highest = { fold: (values) => Math.max(...values), folds: 'highest' };
export const mean = { fold: (values) => values.reduce((a, b) => a + b) / values.length, folds: 'mean' };
