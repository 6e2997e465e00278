// One camera form (markup: macros/media.html camera()). Takes data-frames pictures that really differ, 640x480 JPEG,
// unmirrored (only the preview is mirrored, by CSS), and posts them as `frames` with the fields of [data-camera-field].
import { go, one, every, refusal, send } from './dom.js';
import { t } from './words.js';

const WIDTH = 640;
const HEIGHT = 480;
const GAP_MS = 350;
const GOOD = new Set(['match', 'enrolled']);
const TITLES = { match: '核验通过', no_match: '核验未通过', undetermined: '无法判断，请重试', enrolled: '采集成功', rejected: '照片不合格，请重拍' };

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** What the person can do about a camera that does not open: [title, advice]. */
function obstacle(error) {
  if (!window.isSecureContext) return ['当前连接不安全，浏览器不允许使用摄像头', '请用 https 地址打开本页'];
  if (!navigator.mediaDevices?.getUserMedia) return ['此浏览器不支持摄像头', '请用手机自带浏览器或新版浏览器打开'];
  if (error.name === 'NotAllowedError' || error.name === 'SecurityError') return ['您拒绝了摄像头权限', '请点地址栏的锁形图标，允许使用摄像头，然后重试'];
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return ['没有找到摄像头', '请接好摄像头，或换一台带摄像头的手机、电脑'];
  return ['摄像头被其他程序占用', '请关闭其他使用摄像头的程序后重试'];
}

/** A coarse grey picture: two frames of a living camera never give the same one, a frozen stream always does. */
function fingerprint(video) {
  const small = document.createElement('canvas');
  small.width = 64;
  small.height = 48;
  const pen = small.getContext('2d', { willReadFrequently: true });
  pen.drawImage(video, 0, 0, 64, 48);
  return pen.getImageData(0, 0, 64, 48).data.join();
}

/** Cuts the middle 4:3 of the picture, whatever shape the camera gives, so that faces keep their proportions. */
function picture(video) {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const scale = Math.min(video.videoWidth / WIDTH, video.videoHeight / HEIGHT);
  const w = WIDTH * scale;
  const h = HEIGHT * scale;
  canvas.getContext('2d').drawImage(video, (video.videoWidth - w) / 2, (video.videoHeight - h) / 2, w, h, 0, 0, WIDTH, HEIGHT);
  return new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', 0.85); });
}

export class Camera {
  /** @param {HTMLElement} root  @param {(answer: object) => boolean} [onAnswer] true when the caller has dealt with it */
  constructor(root, onAnswer = () => false) {
    this.root = root;
    this.onAnswer = onAnswer;
    this.video = one('[data-camera-video]', root);
    this.startButton = one('[data-camera-start]', root);
    this.shootButton = one('[data-camera-shoot]', root);
    this.startButton.addEventListener('click', () => this.start());
    this.shootButton.addEventListener('click', () => this.shoot());
    window.addEventListener('pagehide', () => this.stop());
  }

  async start() {
    this.say(null);
    try {
      if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new Error('unsupported');
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: 'user', width: { ideal: WIDTH }, height: { ideal: HEIGHT } } });
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      const [title, advice] = obstacle(error);
      this.say('warn', t(title), [t(advice)]);
      return;
    }
    one('[data-camera-cover]', this.root).hidden = true;
    this.startButton.hidden = true;
    this.shootButton.disabled = false;
    this.shootButton.focus();
    this.say('info', t('已打开摄像头，请正对镜头'));
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
    one('[data-camera-cover]', this.root).hidden = false;
    this.startButton.hidden = false;
    this.shootButton.disabled = true;
  }

  async frames(count) {
    const seen = new Set();
    const taken = [];
    for (let tries = 0; taken.length < count && tries < count * 6; tries += 1) {
      const mark = fingerprint(this.video);
      if (!seen.has(mark)) {
        seen.add(mark);
        taken.push(await picture(this.video));
      }
      if (taken.length < count) await pause(GAP_MS);
    }
    return taken;
  }

  async shoot() {
    this.shootButton.disabled = true;
    this.mark('is-busy');
    this.say('info', t('正在拍摄，请保持不动…'));
    const count = Math.max(1, Number(this.root.dataset.frames) || 1);
    const taken = await this.frames(count);
    if (taken.length < count) {
      this.stop();
      this.mark('is-bad');
      this.say('warn', t('摄像头画面没有变化，请重新打开摄像头'));
      return;
    }
    this.say('info', t('正在比对…'));
    await this.post(taken);
  }

  async post(taken) {
    const body = new FormData();
    for (const field of every('[data-camera-field]', this.root)) body.append(field.name, field.value);
    taken.forEach((blob, i) => body.append('frames', blob, `frame-${i + 1}.jpg`));
    let answer;
    try {
      answer = await send('POST', this.root.dataset.url, body, { timeoutMs: 60000 });
    } catch {
      this.fail(t('网络不通，请检查连接后重试'));
      return;
    }
    if (!answer.data?.outcome) { this.fail(answer.data?.message ?? refusal(answer.status)); return; }
    this.show(answer.data);
  }

  fail(text) {
    this.mark('is-bad');
    this.say('bad', text);
    this.retake();
  }

  show(data) {
    const good = GOOD.has(data.outcome);
    this.mark(good ? 'is-ok' : 'is-bad');
    const title = t(TITLES[data.outcome] ?? TITLES.undetermined);
    this.say(good ? 'ok' : data.outcome === 'no_match' ? 'bad' : 'warn', title, [data.message, ...(data.advice ?? [])].filter((x) => x && x !== title));
    if (good) this.stop(); else this.retake();
    if (this.onAnswer(data, good)) return;
    if (data.next_url) setTimeout(() => go(data.next_url), good ? 900 : 2500);
  }

  retake() {
    this.shootButton.disabled = false;
    this.shootButton.textContent = t('重新拍摄');
  }

  mark(state) {
    this.root.classList.remove('is-busy', 'is-ok', 'is-bad');
    this.root.classList.add(state);
  }

  say(tone, title, lines = []) {
    const box = one('[data-camera-outcome]', this.root);
    box.replaceChildren();
    if (!tone) return;
    const alert = document.createElement('div');
    alert.className = `alert alert-${tone}`;
    const inner = document.createElement('div');
    const head = document.createElement('p');
    head.className = 'alert-title';
    head.textContent = title;
    inner.append(head);
    if (lines.length) {
      const list = document.createElement('ul');
      for (const line of lines) list.append(Object.assign(document.createElement('li'), { textContent: line }));
      inner.append(list);
    }
    alert.append(inner);
    box.append(alert);
  }
}
