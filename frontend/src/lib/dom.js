// Small things that every module needs.
import { t } from './words.js';

export const one = (selector, root = document) => root.querySelector(selector);
export const every = (selector, root = document) => [...root.querySelectorAll(selector)];
export const csrfToken = () => one('meta[name="csrf-token"]')?.content ?? '';

/** A short message at the corner; tone only names the class. */
export function toast(text, tone = 'info', ms = 6000) {
  const box = one('#toasts');
  if (!box) return;
  const item = document.createElement('div');
  item.className = `toast-item toast-${tone}`;
  item.dataset.toast = '';
  item.textContent = text;
  box.append(item);
  setTimeout(() => item.remove(), ms);
}

/** Resolves true when the person says yes in the page's own dialog. */
export function ask(text) {
  const dialog = one('#confirm-dialog');
  if (!dialog?.showModal) return Promise.resolve(window.confirm(text));
  one('#confirm-text', dialog).textContent = text;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** What to tell the person about an answer that is not 2xx. */
export function refusal(status, incident) {
  if (status === 401) return t('登录已过期，请重新登录');
  if (status === 413) return t('文件太大');
  if (status === 429) return t('操作太频繁，请稍候');
  if (incident) return t('服务器出错，请稍后重试（事件编号 {id}）', { id: incident });
  return t('服务器出错，请稍后重试');
}

/** Follows a URL from the server only when it stays on this site. */
export function go(url) {
  const target = new URL(url, window.location.href);
  if (target.origin === window.location.origin) window.location.assign(target);
}

/** fetch with the CSRF token; JSON in, {ok, status, data} out; throws only when the network fails. */
export async function send(method, url, body, { timeoutMs = 10000, keepalive = false } = {}) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  const form = body instanceof FormData;
  const headers = { 'X-CSRFToken': csrfToken(), Accept: 'application/json' };
  if (!form) headers['Content-Type'] = 'application/json';
  try {
    const answer = await fetch(url, { method, headers, keepalive, credentials: 'same-origin', signal: stop.signal, body: form ? body : JSON.stringify(body) });
    const json = answer.headers.get('Content-Type')?.includes('json');
    return { ok: answer.ok, status: answer.status, data: json ? await answer.json() : null };
  } finally {
    clearTimeout(timer);
  }
}

export const minutes = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, '0')}`;
