// Walks through the console as an operator does, by keyboard and by mouse, in light, dark and narrow.
//
//   node walk.mjs URL FACTS      FACTS: {"token", "project", "id", "user", "letter"}: the API's token, a published
//                                submission, a user id with an approved submission, a submission with a dead letter whose
//                                next look will find it approved.
// Exit codes: 0 all is as it should be; 1 it is not, and what is not is told.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

// Where the packages were installed; this file stays in its own folder.
const load = createRequire(path.join(process.env.PACKAGES, 'package.json'));
const { chromium } = load('playwright-core');
const axe = readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8');

const url = process.argv[2];
const facts = JSON.parse(process.argv[3]);
const PATIENCE = 60_000;
const QUIET = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: QUIET });

// A page with the token in its place, still unless it is said otherwise: a busy machine draws for nobody.
// Every request to another origin and every error is kept, to be none at the end.
async function open(hash = '', options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(PATIENCE);
  await context.addInitScript((token) => sessionStorage.setItem('argos-relay.token', token), facts.token);
  const page = await context.newPage();
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(error.stack));
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && page.troubles.push(message.text()));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url) page.troubles.push(`asks ${request.url()}`);
  });
  await page.goto(`${url}/console${hash}`);
  return page;
}

async function close(page) {
  assert.deepEqual(page.troubles, []);
  await page.context().close();
}

const picture = (page, name) => page.screenshot({ path: path.join(process.env.PICTURES, `${name}.png`), fullPage: true });

// The policy forbids scripts of others on the page; the debugger's own way in is not the page's.
async function accessible(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`)}`);
  assert.deepEqual(told, [], `${name} is not accessible`);
}

async function fits(page) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${over} pixels too wide`);
}

const moving = (page) => page.evaluate(() =>
  document.getAnimations().filter(({ playState }) => playState === 'running').length);
const read = (page) => page.locator('#events table').waitFor();

// ---- what /metrics says, and what the page says

async function counters() {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sum = (name, holds = () => true) => text.split('\n')
    .filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && holds(line))
    .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(' '))), 0);
  return {
    webhooks: sum('argos_relay_webhooks_total', (line) => /outcome="(accepted|ignored)"/.test(line)),
    hints: sum('argos_relay_hints_total'),
    coalesced: sum('argos_relay_hints_coalesced_total'),
    gets: sum('argos_relay_truth_requests_total'),
    events: sum('argos_relay_events_published_total'),
  };
}

async function shown(page) {
  const number = async (part, line) => {
    const text = await page.locator(`[data-part="${part}"] .line`).nth(line).textContent();
    return Number(text.match(/^[\d,]+/)[0].replaceAll(',', ''));
  };
  return {
    webhooks: await number('webhooks', 0), hints: await number('hints', 0), coalesced: await number('hints', 1),
    gets: await number('argos', 0), events: await number('kafka', 0),
  };
}

// The load has ended; looks that the service makes of its own go on, so a count lies between two readings. The page
// asks again every few seconds.
async function numbersAgree(page) {
  const until = Date.now() + PATIENCE;
  for (;;) {
    const before = await counters();
    await page.waitForResponse((answer) => answer.url().endsWith('/api/v1/status'));
    // The answer is shown within the same turn of the page.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const page_ = await shown(page);
    const after = await counters();
    const off = Object.keys(before).filter((name) => page_[name] < before[name] || page_[name] > after[name]);
    if (off.length === 0) {
      assert.ok(page_.webhooks > 0 && page_.gets > 0 && page_.events > 0, JSON.stringify(page_));
      assert.equal(page_.webhooks, after.webhooks);
      assert.equal(page_.events, after.events);
      return;
    }
    assert.ok(Date.now() < until, `${off}: page ${JSON.stringify(page_)}, metrics ${JSON.stringify(before)} to ${JSON.stringify(after)}`);
  }
}

// ---- the walks

async function asksForItsToken() {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.goto(`${url}/console`);
  const field = page.getByLabel('Token');
  await field.waitFor();
  assert.ok(await page.locator('#search').isHidden(), 'nothing can be asked without it');
  await page.keyboard.type('not-the-token');
  await page.keyboard.press('Enter');
  await page.getByText('That token was refused').waitFor();
  await page.keyboard.type(facts.token);
  await page.keyboard.press('Enter');
  await read(page);
  await page.reload();
  await read(page);
  await page.getByRole('button', { name: 'Forget token' }).click();
  await field.waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await context.close();
}

async function overview() {
  const page = await open('', { reducedMotion: 'no-preference' });
  await read(page);
  await numbersAgree(page);
  await page.getByRole('img', { name: /Confirm lag/ }).waitFor();
  assert.ok(await moving(page) > 0, 'dots move');
  await picture(page, 'desktop-light');
  await accessible(page, 'the overview in light');
  await close(page);
}

const verdict = (page) => page.locator('#story .headline');

// Tab to the search, type, Enter: the story has the focus. Tab goes on into it.
async function byKeyboard() {
  const page = await open();
  await read(page);
  const focused = () => page.evaluate(() => document.activeElement.name || document.activeElement.textContent.trim());
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the content');
  for (let presses = 0; (await focused()) !== 'term'; presses += 1) {
    assert.ok(presses < 20, 'the search is not reached');
    await page.keyboard.press('Tab');
  }
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(ring, 'solid', 'the focus is seen');
  await page.keyboard.type(`${facts.project}/${facts.id}`);
  await page.keyboard.press('Enter');
  await verdict(page).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'h-explain');
  assert.equal(await page.locator('#h-explain').textContent(), `${facts.project}/${facts.id}`);
  assert.equal(await verdict(page).getAttribute('data-code'), 'published');
  await page.locator('.timeline .hint').first().waitFor();
  await page.locator('.timeline .event').first().waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Look now');
  await page.keyboard.press('Enter');
  await page.getByText('A look was asked for').waitFor();
  await picture(page, 'explain');
  await accessible(page, 'a submission in light');
  await close(page);
}

async function byUser() {
  const page = await open();
  await read(page);
  await page.getByLabel('Find by').selectOption('user');
  await page.getByRole('textbox', { name: 'User id' }).fill(facts.user);
  await page.getByRole('button', { name: 'Find' }).click();
  await page.locator('#found li').filter({ hasText: 'the latest approved' }).getByRole('link').click();
  await verdict(page).waitFor();
  assert.ok(!page.url().includes(facts.user), 'the user id is not in the address');
  await close(page);
}

// Asked first, and "no" does nothing; then the new look is in the story.
async function redrives() {
  const page = await open();
  await read(page);
  let sent = 0;
  page.on('request', (request) => { sent += request.url().endsWith('/redrive') ? 1 : 0; });
  const button = page.getByRole('button', { name: `Redrive ${facts.project}/${facts.letter}` });
  await button.click();
  await page.getByRole('button', { name: 'Leave it' }).click();
  assert.equal(sent, 0);
  await button.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Redrive' }).click();
  await page.getByText('1 handed in again').waitFor();
  assert.equal(sent, 1);
  await page.locator('#redriven').getByRole('link').click();
  await page.locator('.timeline .event').filter({ hasText: 'kyc.submission.approved.v1' }).waitFor();
  await page.locator('.timeline .dead_letter').waitFor();
  await page.locator('.timeline .hint').filter({ hasText: 'an operator asked for a look' }).waitFor();
  await close(page);
}

async function inTheDark() {
  const page = await open('', { colorScheme: 'dark' });
  await read(page);
  await picture(page, 'desktop-dark');
  await accessible(page, 'the overview in dark');
  assert.equal(await moving(page), 0, 'who wants no motion gets none');
  await page.goto(`${url}/console#/explain/${facts.project}/${facts.id}`);
  await verdict(page).waitFor();
  await accessible(page, 'a submission in dark');
  await close(page);
}

async function onAPhone() {
  const page = await open('', { viewport: { width: 390, height: 844 } });
  await read(page);
  await fits(page);
  await picture(page, 'mobile');
  await accessible(page, 'the overview on a phone');
  await page.goto(`${url}/console#/explain/${facts.project}/${facts.id}`);
  await verdict(page).waitFor();
  await fits(page);
  await picture(page, 'mobile-explain');
  await close(page);
}

// What the address holds is shown as text; that nothing is known of it is a verdict too.
async function strangers() {
  const page = await open('#/explain/acme/%3Cimg%20src%3Dx%3E');
  await page.locator('#story .headline[data-code="webhook_never_came"]').waitFor();
  assert.equal(await page.locator('#h-explain').textContent(), 'acme/<img src=x>');
  assert.equal(await page.locator('img').count(), 0);
  await close(page);
}

// Old numbers are marked as such while the replica is away, and no longer once it is back.
async function away() {
  const page = await open();
  await read(page);
  await page.context().setOffline(true);
  await page.getByRole('alert').getByText('No answer').waitFor();
  assert.ok(await page.evaluate(() => document.body.classList.contains('stale')));
  await page.locator('#updated').filter({ hasText: 'old' }).waitFor();
  await picture(page, 'away');
  await accessible(page, 'the overview while the replica is away');
  await page.context().setOffline(false);
  await page.getByText('No answer').waitFor({ state: 'hidden' });
  assert.ok(!(await page.evaluate(() => document.body.classList.contains('stale'))));
  page.troubles = page.troubles.filter((trouble) => !trouble.includes('ERR_INTERNET_DISCONNECTED'));
  await close(page);
}

mkdirSync(process.env.PICTURES, { recursive: true });
let code = 0;
for (const walk of [asksForItsToken, overview, byKeyboard, byUser, redrives, inTheDark, onAPhone, strangers, away]) {
  const began = Date.now();
  try {
    await walk();
    console.log(`${walk.name}: as it should be, ${Date.now() - began} ms`);
  } catch (error) {
    code = 1;
    console.log(`${walk.name}: ${error.stack}`);
  }
}
await browser.close();
process.exit(code);
