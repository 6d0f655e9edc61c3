// Elements, and how numbers and times read. Owns: every way into the page; data enters as text only, never as markup
// (the content security policy refuses anything else). Must not know: what is shown.

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const el = (tag, attributes, ...children) => make(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => make(document.createElementNS(SVG, tag), attributes, children);

export const icon = (name, tone = name) =>
  svg('svg', { class: `icon ${tone}`, 'aria-hidden': 'true' }, svg('use', { href: `#${name}` }));
export const state = (name, text, tone = name) => el('span', { class: `state ${tone}` }, icon(name, tone), text);

// Fills a place anew, but only if what is shown there has changed; the focus stays where it was.
const shown = new WeakMap();
export function fill(place, data, build) {
  const seen = JSON.stringify(data);
  if (shown.get(place) === seen) return;
  shown.set(place, seen);
  const within = place.contains(document.activeElement) && document.activeElement.dataset.key;
  place.replaceChildren(...[build(data)].flat(Infinity).filter(Boolean));
  if (within) place.querySelector(`[data-key="${CSS.escape(within)}"]`)?.focus();
}

// A table whose cells name their column; of class `rows`, a row becomes a block on a narrow screen.
export function table(caption, columns, rows, css) {
  const head = columns.map(({ title, number }) => el('th', { scope: 'col', class: number && 'number' }, title));
  const body = rows.map((row) => el('tr', null, columns.map(({ title, number, cell }) =>
    el('td', { 'data-title': title, class: number && 'number' }, cell(row)))));
  return el('table', { class: css }, el('caption', { class: 'hidden' }, caption),
    el('thead', null, el('tr', null, head)), el('tbody', null, body));
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
export const count = (n) => (Number.isFinite(n) ? whole.format(n) : '–');
export const rate = (n) => (Number.isFinite(n) ? (n >= 100 ? whole : tenth).format(n) : '–');
export const percent = (part) => (Number.isFinite(part) ? `${whole.format(Math.floor(part * 100))} %` : '–');
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

// Seconds, in the unit that fits.
export function span(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const s = Math.max(0, seconds);
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${tenth.format(s)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

// The replica's clock counts, not the browser's.
let ahead = 0;
export const setClock = (now) => { ahead = Date.parse(now) - Date.now(); };
export const now = () => Date.now() + ahead;
export const clock = (at) => (at ? new Date(at).toISOString().slice(11, 19) : '–');
export const day = (at) => new Date(at).toISOString().slice(0, 10);
export const ago = (at) => `${span((now() - Date.parse(at)) / 1000)} ago`;

// Today's times without the day; a reader of the machine's kind gets all of it.
export function time(at) {
  if (!at) return '–';
  const today = day(at) === day(now());
  return el('time', { datetime: at, title: at }, today ? clock(at) : `${day(at)} ${clock(at).slice(0, 5)}`);
}
