// The page's course: what is asked when, which view is shown, what is said when an answer does not come.
// Path: `turn` every second; each `Feed` asks when its time has come; answers go to overview.js, flow.js, explain.js.

import { Failure, get, post, submission, token } from './api.js';
import { byId, clock, count, el, fill, now, setClock, span, state } from './dom.js';
import { explain, failed, frame } from './explain.js';
import { Flow } from './flow.js';
import { events, head, key, letters, lines, partitions, projects } from './overview.js';
import { offer } from './search.js';

const flow = new Flow(byId('flow'));
let paused = false;
let asked = null;
const handed = new Map();

class Feed {
  constructor(path, every, show, fail = () => {}) {
    Object.assign(this, { path, every, show, fail, due: 0, at: null, error: null, busy: false });
  }

  // One request at a time; after a failure it waits as long as ever: a replica that is away is not pressed.
  async ask() {
    if (this.busy || Date.now() < this.due) return;
    this.busy = true;
    const path = this.path;
    try {
      const document = await get(path);
      if (path === this.path) {
        this.last = document;
        this.at = Date.now();
        this.error = null;
        this.show(document);
      }
    } catch (error) {
      if (!(error instanceof Failure)) console.error(error);
      if (path === this.path) { this.error = error; this.fail(error); }
    }
    this.due = path === this.path ? Date.now() + this.every : 0;
    this.busy = false;
    judge();
  }
}

const status = new Feed('status', 3000, (document) => {
  setClock(document.now);
  head(document);
  offer(document.projects);
  flow.show(document);
  projects(document);
  partitions(document);
  turn();
});
// One part that is not told now. What was told a moment ago stays: a scan of the topics may only have met another.
const LATELY = 30_000;
const say = (id) => function told({ isAway, status: code, message }) {
  if (isAway || code === 401 || (this.at && Date.now() - this.at < LATELY)) return;
  fill(byId(id), message, () => el('p', { class: 'empty' }, state('warn', message)));
};
const overview = [
  new Feed('series', 10_000, lines, say('lag')),
  new Feed('events?limit=50', 10_000, events, say('events')),
  new Feed('dead-letters?limit=50', 10_000, (document) => letters(document, handed, redrive), say('letters')),
];
// Each answer is a scan of topics: soon again at first, when something is under way, then ever more seldom.
const SOON = 1500;
const story = new Feed(null, SOON, (document) => {
  explain(document);
  story.every = Math.min(60_000, story.every * 2);
}, failed);
// The status first: it tells whether the replica answers, and whether it wants a token.
const feeds = () => [status, ...(!status.at ? [] : story.path ? [story] : overview)];
// What a person asked for comes also while the page is paused.
const hurry = (...some) => { for (const feed of asked ? [] : some) { feed.due = 0; feed.ask(); } };

function turn() {
  age();
  if (paused || document.hidden || asked) return;
  for (const feed of feeds()) feed.ask();
}

// ---- what is said of the answers as a whole

// A change is said once; the seconds beside it go on silently.
function judge() {
  const refused = feeds().some(({ error }) => error?.status === 401);
  if (refused && !asked) ask();
  const away = status.error && !refused;
  const banner = byId('banner');
  if (away && banner.hidden) {
    banner.replaceChildren(state('bad', status.error.isAway ? 'No answer' : `Answer ${status.error.status}`),
      el('span', null, ` ${status.error.message} It is asked again every ${status.every / 1000} s. `,
        status.at ? `What is shown is from ${clock(new Date(status.at))}.` : 'Nothing was read so far.'));
  }
  banner.hidden = !away;
  flow.still = paused || Boolean(away);
  document.body.classList.toggle('stale', Boolean(away && status.at));
  document.body.classList.toggle('blank', !status.at);
  flow.move();
  age();
}

function age() {
  const old = status.at && (Date.now() - status.at) / 1000;
  byId('updated').textContent = !status.at ? (status.error ? 'nothing read yet' : 'reading…')
    : old > 10 ? `${span(old)} old` : paused ? 'paused' : 'live';
}

// ---- the token

function ask() {
  asked = token.get() ? 'again' : 'first';
  byId('token').hidden = false;
  byId('token').querySelector('.refused').textContent = asked === 'again' ? 'That token was refused. Is it one of this replica’s, without a blank?' : '';
  token.forget();
  byId('forget').hidden = true;
  byId('token').elements.token.focus();
}

byId('token').addEventListener('submit', (event) => {
  event.preventDefault();
  token.set(byId('token').elements.token.value.trim());
  byId('token').reset();
  byId('token').hidden = true;
  byId('forget').hidden = false;
  asked = null;
  for (const feed of feeds()) feed.error = null;
  hurry(status);
});
byId('forget').addEventListener('click', () => { token.forget(); location.reload(); });
byId('forget').hidden = !token.get();

// ---- actions: each asks once, then tells what came of it

function confirmed(title, text, yes) {
  byId('ask-title').textContent = title;
  byId('ask-text').textContent = text;
  byId('ask-yes').textContent = yes;
  const dialog = byId('ask');
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}

async function redrive(letter) {
  const what = letter ? `${letter.project}/${letter.id}` : 'all dead letters since the last time, a hundred submissions at most';
  const agreed = await confirmed(letter ? `Redrive ${what}?` : 'Redrive them all?',
    `A hint is written for ${what}. Each is then looked at again: one GET of its project’s budget.`, 'Redrive');
  if (!agreed) return;
  const told = byId('redriven');
  told.replaceChildren('Writing…');
  try {
    const { redriven } = await post('dead-letters/redrive', { project: letter?.project ?? null, id: letter?.id ?? null, limit: 100 });
    told.replaceChildren(redriven.length
      ? el('p', null, state('ok', `${count(redriven.length)} handed in again:`), ...redriven.slice(0, 10).flatMap((one) => [' ', key(one.project, one.id, 'd')]),
        redriven.length > 10 ? ` and ${count(redriven.length - 10)} more` : '')
      : el('p', null, state('note', 'Nothing was left to hand in.')));
    for (const one of redriven) handed.set(`${one.project}/${one.id}`, now());
    hurry(...overview);
  } catch (error) {
    told.replaceChildren(el('p', null, state('bad', `Not handed in: ${error.message}`)));
  }
}

async function look(project, id) {
  const done = byId('done');
  done.replaceChildren('Writing…');
  try {
    await post(`${submission(project, id)}/reconcile`);
    done.replaceChildren(state('ok', 'A look was asked for. What it finds is told below in a moment.'));
    story.every = SOON;
    hurry(story);
  } catch (error) {
    done.replaceChildren(state('bad', `Not asked for: ${error.message}`));
  }
}

// ---- views: #/ and #/explain/PROJECT/ID

function route(first) {
  const [, view, ...rest] = location.hash.split('/');
  const [project, id] = rest.map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  const one = view === 'explain' && project && id;
  const before = story.path;
  story.path = one ? submission(project, id) : null;
  story.every = SOON;
  byId('overview').hidden = Boolean(one);
  byId('explain').hidden = !one;
  document.title = one ? `${project}/${id}, argos-relay` : 'argos-relay console';
  if (one) {
    frame(project, id, { look: () => look(project, id) });
    if (first !== true) byId('h-explain').focus();
    scrollTo(0, 0);
  } else if (before) {
    byId('main').focus({ preventScroll: true });
    for (const { last, show } of [status, ...overview]) if (last) show(last);
  }
  hurry(...feeds());
}

document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); byId('main').focus(); });
byId('pause').addEventListener('click', () => {
  paused = !paused;
  byId('pause').setAttribute('aria-pressed', String(paused));
  judge();
  turn();
});
addEventListener('hashchange', route);
addEventListener('resize', () => overview[0].last && !story.path && lines(overview[0].last));
document.addEventListener('visibilitychange', turn);
document.body.classList.add('blank');
route(true);
setInterval(turn, 1000);
