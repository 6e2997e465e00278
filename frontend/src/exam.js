// The paper. An answer goes to IndexedDB first (strict durability) and only then to the server; what the server has
// acknowledged leaves the device. A killed browser or a lost network therefore loses nothing.
//
//   <script type="application/json" id="exam-data">
//     {"attempt_id", "save_url", "submit_url", "deadline_at", "server_now", "last_seq", "answers": {"1": {"keys": ["B"], "seq": 17}}}
//   PUT save_url {"items": [{"item": 1, "keys": ["B"], "seq": 18}]}  ->  {"acked": 18, "server_now": "ISO", "state": "open|submitted"}
//   POST submit_url by the form itself (#exam), header or field CSRF as every form.
// Sequence numbers grow by one per answer and per attempt, starting above both last_seq and what this device kept.
// Markup: macros/exam.html. Without this script the same form posts the whole paper.
import { ask, every, one, send, toast } from './lib/dom.js';
import { forget, keep, kept } from './lib/store.js';
import { t } from './lib/words.js';

const data = JSON.parse(one('#exam-data').textContent);
const form = one('#exam');
const questions = every('.question', form);
const dialog = one('[data-exam-dialog]', form);
const flagKey = `anzheng-flags-${data.attempt_id}`;
const deadline = Date.parse(data.deadline_at);

let seq = data.last_seq ?? 0;
let skewMs = Date.parse(data.server_now) - Date.now();
let current = 0;
let sending = false;
let again = null;
let waitMs = 1000;
let ending = false;
let storeWorks = true;
let toldOffline = false;
const memory = new Map();
let flags = new Set();

// --- what the person sees ------------------------------------------------------------------------------------
function say(state, text) {
  const box = one('[data-exam-sync]', form);
  box.dataset.state = state;
  const label = one('[data-exam-sync-text]', box);
  if (label.textContent !== text) label.textContent = text;
}

const itemOf = (question) => Number(question.dataset.item);
const keysOf = (question) => every('input:checked', question).map((input) => input.value);

function setKeys(question, keys) {
  for (const input of every('input', question)) input.checked = keys.includes(input.value);
}

function paint() {
  let done = 0;
  questions.forEach((question, index) => {
    const answered = keysOf(question).length > 0;
    const flagged = flags.has(itemOf(question));
    if (answered) done += 1;
    const cell = one(`[data-exam-go="${itemOf(question)}"]`, dialog);
    cell.classList.toggle('is-done', answered);
    cell.classList.toggle('is-flag', flagged);
    cell.classList.toggle('is-now', index === current);
    cell.toggleAttribute('aria-current', index === current);
    one('[data-exam-flag]', question).setAttribute('aria-pressed', String(flagged));
  });
  one('[data-exam-done]', form).value = done;
  one('[data-exam-count]', dialog).textContent = t('已答 {done} · 标记 {flag} · 未答 {open}', { done, flag: flags.size, open: questions.length - done });
  return questions.length - done;
}

function show(index, focus = true) {
  current = Math.max(0, Math.min(questions.length - 1, index));
  questions.forEach((question, i) => { question.hidden = i !== current; });
  one('[data-exam-prev]', form).disabled = current === 0;
  one('[data-exam-next]', form).disabled = current === questions.length - 1;
  paint();
  if (focus) { window.scrollTo(0, 0); one('input:checked, input', questions[current])?.focus({ preventScroll: true }); }
}

// --- keeping and sending -------------------------------------------------------------------------------------
async function record(question) {
  seq += 1;
  const entry = { id: `${data.attempt_id}:${itemOf(question)}`, attempt: data.attempt_id, item: itemOf(question), keys: keysOf(question), seq };
  memory.set(entry.id, entry);
  try {
    await keep(entry);
    say('local', t('已保存到本机'));
  } catch {
    // Private windows may refuse IndexedDB; answers then live in memory until the server has them.
    storeWorks = false;
    say('offline', t('本机无法保存答案，请保持网络畅通'));
  }
  flush();
}

async function waiting() {
  if (!storeWorks) return [...memory.values()].sort((a, b) => a.seq - b.seq);
  try { return await kept(data.attempt_id); } catch { storeWorks = false; return [...memory.values()]; }
}

async function settle(records) {
  for (const record of records) if (memory.get(record.id)?.seq === record.seq) memory.delete(record.id);
  if (storeWorks) await forget(records);
}

function retryLater() {
  clearTimeout(again);
  again = setTimeout(flush, waitMs);
  waitMs = Math.min(waitMs * 2, 30000);
}

/** Sends what waits; resolves true when nothing is left on this device. */
async function flush() {
  if (sending) return false;
  sending = true;
  try {
    const records = await waiting();
    if (!records.length) { say('synced', t('已同步')); return true; }
    const items = records.map(({ item, keys, seq: number }) => ({ item, keys, seq: number }));
    const answer = await send('PUT', data.save_url, { items }, { keepalive: true });
    if (!answer.ok) { refuse(answer); return false; }
    skewMs = Date.parse(answer.data.server_now) - Date.now();
    if (answer.data.state === 'submitted') { leave(); return false; }
    await settle(records.filter((r) => r.seq <= answer.data.acked));
    waitMs = 1000;
    toldOffline = false;
  } catch {
    say('offline', t('网络中断，已保存到本机'));
    if (!toldOffline) { toldOffline = true; toast(t('网络中断，答案已保存在本机，恢复后自动提交'), 'warn'); }
    retryLater();
    return false;
  } finally {
    sending = false;
  }
  if ((await waiting()).length) { retryLater(); return false; }
  say('synced', t('已同步'));
  return true;
}

/** A refusal by the server is not a lost network: 4xx other than 429 will not heal by repeating it at once. */
function refuse(answer) {
  if (answer.data?.state === 'submitted' || answer.status === 410) { leave(); return; }
  say('offline', answer.data?.message ?? t('服务器出错，请稍后重试'));
  if (answer.status === 401) toast(t('登录已过期，请重新登录'), 'bad', 15000);
  retryLater();
}

function leave() {
  if (ending) return;
  ending = true;
  toast(t('试卷已交，正在跳转'), 'ok');
  window.location.reload();
}

// --- handing in ----------------------------------------------------------------------------------------------
function handIn() {
  ending = true;
  if (navigator.onLine) { form.submit(); return; }
  // Leaving for a page that cannot load would only show the browser's error; the answers stay here meanwhile.
  say('offline', t('网络中断，已保存到本机'));
  window.addEventListener('online', async () => { await flush(); form.submit(); }, { once: true });
}

async function askToHandIn() {
  const open = paint();
  const synced = await flush();
  if (!synced && (await waiting()).length) {
    one('[data-exam-warn]', dialog).textContent = t('还有答案没有同步，请等网络恢复后交卷');
    return;
  }
  one('[data-exam-warn]', dialog).textContent = '';
  dialog.close();
  const text = open ? t('还有 {n} 题未答，确定交卷吗？', { n: open }) : t('确定交卷吗？交卷后不能再修改。');
  if (await ask(text)) handIn();
}

async function timeIsUp() {
  if (ending) return;
  ending = true;
  one('[data-exam-live]', form).textContent = t('时间到，正在交卷');
  every('input', form).forEach((input) => { if (input.type !== 'hidden') input.disabled = true; });
  // The form posts nothing but the token now: what counts is what the server has acknowledged.
  await flush();
  handIn();
}

// --- clock: the server's time, shown only; the server alone decides what came too late ------------------------
const announced = new Set();

function tick() {
  const left = Math.max(0, Math.round((deadline - Date.now() - skewMs) / 1000));
  const hours = Math.floor(left / 3600);
  const mm = String(Math.floor((left % 3600) / 60)).padStart(2, '0');
  const ss = String(left % 60).padStart(2, '0');
  one('[data-exam-left]', form).textContent = hours ? `${hours}:${mm}:${ss}` : `${mm}:${ss}`;
  one('[data-exam-clock]', form).classList.toggle('is-late', left <= 300);
  for (const mark of [10, 5, 1]) {
    if (left <= mark * 60 && left > (mark - 1) * 60 && !announced.has(mark)) {
      for (const passed of [10, 5, 1]) if (passed >= mark) announced.add(passed);
      one('[data-exam-live]', form).textContent = mark === 1 ? t('还剩 1 分钟') : t('还剩 {n} 分钟', { n: mark });
    }
  }
  if (left === 0) timeIsUp();
}

// --- start ---------------------------------------------------------------------------------------------------
async function restore() {
  for (const [item, answer] of Object.entries(data.answers ?? {})) {
    const question = one(`.question[data-item="${CSS.escape(item)}"]`, form);
    if (question) setKeys(question, answer.keys);
    seq = Math.max(seq, answer.seq ?? 0);
  }
  const records = await waiting();
  for (const record of records) {
    const question = one(`.question[data-item="${record.item}"]`, form);
    const known = data.answers?.[record.item]?.seq ?? -1;
    if (question && record.seq > known) { setKeys(question, record.keys); seq = Math.max(seq, record.seq); }
    memory.set(record.id, record);
  }
  await settle(records.filter((r) => r.seq <= (data.answers?.[r.item]?.seq ?? -1)));
}

function listen() {
  form.addEventListener('change', (event) => {
    const question = event.target.closest('.question');
    if (question && !ending) { record(question); paint(); }
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('click', (event) => {
    const flag = event.target.closest('[data-exam-flag]');
    if (flag) {
      const item = Number(flag.dataset.examFlag);
      if (!flags.delete(item)) flags.add(item);
      try { localStorage.setItem(flagKey, JSON.stringify([...flags])); } catch { /* flags are a convenience */ }
      paint();
    }
    const jump = event.target.closest('[data-exam-go]');
    if (jump) { dialog.close(); show(questions.findIndex((q) => itemOf(q) === Number(jump.dataset.examGo))); }
    if (event.target.closest('[data-exam-prev]')) show(current - 1);
    if (event.target.closest('[data-exam-next]')) show(current + 1);
    if (event.target.closest('[data-exam-sheet]')) { paint(); dialog.showModal(); }
    if (event.target.closest('[data-exam-sheet-close]') || event.target === dialog) dialog.close();
    if (event.target.closest('[data-exam-submit]')) askToHandIn();
  });
  window.addEventListener('online', () => { waitMs = 1000; flush(); });
  window.addEventListener('offline', () => say('offline', t('网络中断，已保存到本机')));
  document.addEventListener('visibilitychange', () => { flush(); tick(); });
  window.addEventListener('pagehide', () => { flush(); });
}

async function start() {
  try { flags = new Set(JSON.parse(localStorage.getItem(flagKey) ?? '[]')); } catch { flags = new Set(); }
  await restore();
  listen();
  const asked = Number(window.location.hash.replace('#item-', ''));
  show(Math.max(0, questions.findIndex((q) => itemOf(q) === asked)), false);
  tick();
  setInterval(tick, 1000);
  flush();
  document.body.dataset.ready = 'exam';
}

start();
