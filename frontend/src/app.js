// Every page: htmx with its refusals, dialogs, menus, sidebar, confirmation, small form helpers.
//
//   <form data-confirm="text">        asks before it is sent
//   data-dialog-open="id"             opens <dialog id>;  data-dialog-close inside closes it
//   data-sidebar-open / -close        the desk's navigation on phones (works by :target without script)
//   <select data-autosubmit>          sends its form when changed
//   <input type=checkbox data-check-all="name">   ticks all boxes of that name in its form;
//                                     [data-check-count="name"] elements show how many are ticked
//   <form data-once>                  disables its buttons once sent
//   <button data-copy="text">         copies;  data-print prints
//   [data-toast]                      toasts that htmx put into #toasts leave after six seconds
import htmx from 'htmx.org';
import { ask, csrfToken, every, one, refusal, toast } from './lib/dom.js';
import { t } from './lib/words.js';

// htmx 4 swaps 4xx (form fragments with errors) but by configuration never 5xx; here the person is told.
document.addEventListener('htmx:response:error', (event) => {
  const response = event.detail?.ctx?.response;
  const status = response?.status ?? response?.raw?.status ?? 0;
  if (status >= 500 || [401, 413, 429].includes(status)) toast(refusal(status, response?.headers?.get?.('X-Incident-Id')), 'bad');
});
document.addEventListener('htmx:error', (event) => {
  if (event.detail?.ctx?.request) toast(t('网络不通，请检查连接后重试'), 'bad');
});
// A hidden tab does not poll; the next interval after it is shown asks again.
document.addEventListener('htmx:before:request', (event) => {
  const source = event.detail?.ctx?.sourceElement;
  if (document.hidden && source?.getAttribute?.('hx-trigger')?.includes('every')) event.preventDefault();
});

const toasts = one('#toasts');
if (toasts) {
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === 1) setTimeout(() => node.remove(), 6000);
  }).observe(toasts, { childList: true });
}

// --- dialogs -------------------------------------------------------------------------------------------------
document.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-dialog-open]');
  if (opener) {
    const dialog = document.getElementById(opener.dataset.dialogOpen);
    if (dialog?.showModal) { event.preventDefault(); dialog.showModal(); }
    return;
  }
  const closer = event.target.closest('[data-dialog-close]');
  if (closer) {
    const dialog = closer.closest('dialog');
    if (dialog?.open) { event.preventDefault(); dialog.close(); }
  }
  if (event.target instanceof HTMLDialogElement && event.target.classList.contains('dialog') && !event.target.hasAttribute('data-player-check')) event.target.close();
});

document.addEventListener('keydown', (event) => {
  if (event.key === ' ' && event.target.matches?.('a[role="button"]')) { event.preventDefault(); event.target.click(); }
});

// --- forms ---------------------------------------------------------------------------------------------------
const sure = new WeakSet();
document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (form.dataset.confirm && !sure.has(form)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    if (await ask(form.dataset.confirm)) {
      sure.add(form);
      form.requestSubmit(submitter ?? undefined);
      sure.delete(form);
    }
    return;
  }
  if (form.hasAttribute('data-once')) setTimeout(() => every('button', form).forEach((b) => { b.disabled = true; }), 0);
}, true);
// A page shown again from the back-forward cache must not keep its buttons disabled.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) every('form[data-once] button').forEach((b) => { b.disabled = false; });
});

function countTicks(name) {
  const ticked = every(`input[type="checkbox"][name="${CSS.escape(name)}"]:checked`).length;
  every(`[data-check-count="${CSS.escape(name)}"]`).forEach((el) => { el.textContent = ticked; });
}

document.addEventListener('change', (event) => {
  const box = event.target;
  if (box.hasAttribute('data-autosubmit')) box.form?.requestSubmit();
  if (box.dataset.checkAll) {
    const scope = box.form ?? box.closest('table') ?? document;
    every(`input[type="checkbox"][name="${CSS.escape(box.dataset.checkAll)}"]`, scope).forEach((b) => { b.checked = box.checked; });
    countTicks(box.dataset.checkAll);
  } else if (box.type === 'checkbox' && box.name) countTicks(box.name);
});

// --- menus, sidebar, small buttons ---------------------------------------------------------------------------
const sidebar = one('#sidebar');
let cameFrom = null;

function setSidebar(open) {
  if (!sidebar) return;
  sidebar.classList.toggle('open', open);
  one('.desk-body')?.toggleAttribute('inert', open);
  if (open) { cameFrom = document.activeElement; one('[data-sidebar-close]', sidebar)?.focus(); } else cameFrom?.focus();
}

document.addEventListener('click', async (event) => {
  for (const menu of every('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false;
  if (event.target.closest('[data-sidebar-open]')) { event.preventDefault(); setSidebar(true); }
  if (event.target.closest('[data-sidebar-close]')) { event.preventDefault(); setSidebar(false); }
  if (event.target.closest('[data-print]')) window.print();
  const copy = event.target.closest('[data-copy]');
  if (copy) {
    await navigator.clipboard?.writeText(copy.dataset.copy);
    toast(t('已复制'), 'ok', 2500);
  }
});

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  for (const menu of every('details.menu[open]')) { menu.open = false; one('summary', menu)?.focus(); }
  if (sidebar?.classList.contains('open')) setSidebar(false);
});

// The theme changes at once; the form then tells the server, so that the next page comes in the right colours.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (!form.hasAttribute('data-theme-form') || !event.submitter) return;
  event.preventDefault();
  const root = document.documentElement;
  root.removeAttribute('data-theme-auto');
  root.setAttribute('data-bs-theme', event.submitter.value);
  const body = new FormData(form);
  body.set('theme', event.submitter.value);
  fetch(form.action, { method: 'POST', body, credentials: 'same-origin', redirect: 'manual', headers: { 'X-CSRFToken': csrfToken() } })
    .catch(() => toast(t('网络不通，请检查连接后重试'), 'bad'));
});

export default htmx;
