// The search: by submission id, or by person at ARGOS. Owns: the form and what was found. A user id or an email leaves
// the page only in the body of one request: never in the address, the history or a log. Must not know: the timeline.

import { post } from './api.js';
import { byId, el, fill, plural, state, time } from './dom.js';
import { key, link } from './overview.js';

const form = byId('search');
const { by, project, term } = form.elements;
const ADVICE = {
  id: ['Submission id', 'Or project/id, as in logs and topics.'],
  user: ['User id', 'Asks ARGOS for this person’s submissions; draws from the project’s budget.'],
  email: ['Email', 'Asks ARGOS for this person’s submissions; draws from the project’s budget. The address is not kept.'],
};

function advise() {
  [byId('what').textContent, byId('advice').textContent] = ADVICE[by.value];
  term.type = by.value === 'email' ? 'email' : 'text';
}

export function offer(projects) {
  fill(project, projects.map(({ id }) => id), (ids) => ids.map((id) => el('option', { value: id }, id)));
}

async function find(event) {
  event.preventDefault();
  const text = term.value.trim();
  if (by.value === 'id') {
    const slash = text.indexOf('/');
    const [where, id] = slash > 0 ? [text.slice(0, slash), text.slice(slash + 1)] : [project.value, text];
    if (!where) { say(el('p', null, state('warn', 'Write it as project/id: this replica tells of no project.'))); return; }
    say();
    location.hash = link(where, id);
    return;
  }
  const where = project.value;
  say(el('p', null, 'Asking ARGOS…'));
  try {
    const { submissions } = await post('lookup', { project: where, [by.value]: text });
    say(...listed(where, submissions));
  } catch (error) {
    const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : '';
    say(el('p', null, state('warn', error.message + wait)));
  }
}

const say = (...parts) => byId('found').replaceChildren(...parts);

function listed(where, submissions) {
  if (!submissions.length) return [el('p', null, `ARGOS knows no submission of this person in ${where}.`)];
  return [
    el('p', null, `${plural(submissions.length, 'submission')} of this person in ${where}, newest first:`),
    el('ul', null, submissions.map((one) => el('li', null, key(where, one.id, 's'),
      el('span', null, `${one.kyc_status}, made `, time(one.created_at), one.decided_at && [', decided ', time(one.decided_at)]),
      one.latest_approved && state('ok', 'the latest approved')))),
  ];
}

by.addEventListener('change', advise);
form.addEventListener('submit', find);
advise();
