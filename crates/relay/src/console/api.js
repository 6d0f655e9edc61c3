// The admin API. Owns: the token, and what each failure means to a person. Must not know: the page.

const BASE = new URL('../api/v1/', import.meta.url);
const KEPT = 'argos-relay.token';
const PATIENCE = 15_000;

export const token = {
  get: () => sessionStorage.getItem(KEPT),
  set: (value) => sessionStorage.setItem(KEPT, value),
  forget: () => sessionStorage.removeItem(KEPT),
};

export class Failure extends Error {
  constructor(status, message, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
  get isAway() { return this.status === 0; }
}

async function ask(path, options = {}) {
  const headers = { accept: 'application/json', ...options.headers };
  if (token.get()) headers.authorization = `Bearer ${token.get()}`;
  let answer;
  let body;
  try {
    answer = await fetch(new URL(path, BASE), { ...options, headers, signal: AbortSignal.timeout(PATIENCE) });
    body = await answer.text();
  } catch {
    throw new Failure(0, 'This replica does not answer. Does it run, and does the way to it (a port-forward?) still stand?');
  }
  let document = null;
  try { document = JSON.parse(body); } catch { /* told below */ }
  if (answer.ok && document) return document;
  const told = document?.error?.message ?? `It answered ${answer.status} without a word. Its log may say more.`;
  throw new Failure(answer.status, told, Number(answer.headers.get('retry-after')) || null);
}

export const get = (path) => ask(path);
export const post = (path, body = {}) => ask(path, {
  method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' },
});
export const submission = (project, id) => `submissions/${encodeURIComponent(project)}/${encodeURIComponent(id)}`;
