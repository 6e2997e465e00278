// Large uploads with progress. Without this script the form posts by itself and the server's redirect is followed.
//
//   <form data-upload enctype="multipart/form-data">   (macros/media.html upload())
//     [data-upload-drop] [data-upload-name] [data-upload-progress] [data-upload-text] [data-upload-cancel] [data-upload-error]
// The server may answer a redirect (followed; the final address is opened), JSON {"next_url"} or {"message"}, or HTML
// with 4xx (shown as the page).
import { csrfToken, every, go, one, refusal } from './lib/dom.js';
import { t } from './lib/words.js';

function wire(form) {
  const input = one('input[type="file"]', form);
  const drop = one('[data-upload-drop]', form);
  const progress = one('[data-upload-progress]', form);
  const error = one('[data-upload-error]', form);
  const buttons = every('button:not([data-upload-cancel])', form);
  let request = null;

  const fail = (text) => {
    error.textContent = text;
    error.hidden = false;
    progress.hidden = true;
    buttons.forEach((b) => { b.disabled = false; });
    request = null;
  };

  const finish = () => {
    const type = request.getResponseHeader('Content-Type') ?? '';
    if (type.includes('json')) {
      let data = {};
      try { data = JSON.parse(request.responseText); } catch { /* an answer that is not JSON is told below */ }
      if (request.status < 400 && data.next_url) { go(data.next_url); return; }
      if (request.status >= 400) { fail(data.message ?? refusal(request.status)); return; }
    } else if (request.status >= 400) {
      fail(refusalText(request));
      return;
    }
    go(request.responseURL || window.location.href);
  };

  const start = () => {
    request = new XMLHttpRequest();
    request.open('POST', form.action);
    request.setRequestHeader('X-CSRFToken', csrfToken());
    request.setRequestHeader('Accept', 'application/json, text/html;q=0.9');
    request.upload.addEventListener('progress', (event) => {
      if (!event.lengthComputable) return;
      const pct = Math.floor((event.loaded / event.total) * 100);
      one('progress', progress).value = pct;
      one('[data-upload-text]', progress).textContent = pct < 100 ? t('已上传 {p}%', { p: pct }) : t('上传完成，正在处理…');
    });
    request.addEventListener('load', finish);
    request.addEventListener('error', () => fail(t('上传中断，请检查网络后重试')));
    request.addEventListener('abort', () => fail(t('已取消上传')));
    error.hidden = true;
    progress.hidden = false;
    buttons.forEach((b) => { b.disabled = true; });
    request.send(new FormData(form));
  };

  input.addEventListener('change', () => {
    const file = input.files[0];
    if (file) one('[data-upload-name]', form).textContent = `${file.name}（${(file.size / 1048576).toFixed(1)} MB）`;
  });
  drop.addEventListener('dragover', () => drop.classList.add('is-over'));
  for (const name of ['dragleave', 'drop']) drop.addEventListener(name, () => drop.classList.remove('is-over'));
  one('[data-upload-cancel]', progress).addEventListener('click', () => request?.abort());
  form.addEventListener('submit', (event) => {
    // A plain form is posted by the browser, which shows the page that it is answered with.
    if (event.defaultPrevented || form.dataset.upload === 'plain') return;
    event.preventDefault();
    start();
  });
}

/** The refusal an HTML page states in its .alert-bad or field errors, else a general sentence. */
function refusalText(request) {
  const page = new DOMParser().parseFromString(request.responseText, 'text/html');
  const told = every('.alert-bad, .field-error:not([hidden]), .errorpage .lead', page).map((el) => el.textContent.trim()).filter(Boolean);
  return told.length ? told.join(' ') : refusal(request.status);
}

every('form[data-upload]').forEach(wire);
