// Lesson player: hls.js over the native <video>, our own bar, watched intervals sent to the server.
//
//   <section data-player …>  (macros/media.html player()) with
//     data-session, data-playlist, data-beat-url, data-duration-s, data-furthest-s, data-position-s,
//     data-first (first viewing: nothing beyond the furthest point), data-captions (VTT), data-audio (playlist),
//     data-check-url (the face dialog [data-player-check] holds a camera form)
//   POST data-beat-url every 5 s {"session": id, "events": [{"from_s", "to_s", "rate"}]}  ->
//     {"credited_s", "furthest_s", "face_check_due": bool, "completed": bool, "next_url": "/…" or null}
// The server measures; this script only reports what really played and keeps unsent reports for the next beat.
import Hls from 'hls.js/light';
import { minutes, one, every, send } from './lib/dom.js';
import { Camera } from './lib/face.js';
import { t } from './lib/words.js';

const BEAT_MS = 5000;
const RATE_MAX = 1.5;
const SEEK_SLACK_S = 0.75;
const SERVER_SLACK_S = 15;
const REFUSED_SLACK_S = 1;

class Player {
  constructor(root) {
    this.root = root;
    this.set = root.dataset;
    this.video = one('[data-player-video]', root);
    this.first = 'first' in this.set;
    this.duration = Number(this.set.durationS) || 0;
    this.furthest = Number(this.set.furthestS) || 0;
    this.pending = [];
    this.last = null;
    this.audioOnly = false;
    this.beating = false;
    this.done = false;
    this.dialog = one('[data-player-check]', root);
    this.load(this.set.playlist, Number(this.set.positionS) || 0);
    this.captions();
    this.buttons();
    this.watch();
    this.keys();
    this.faces();
    this.paint();
    setInterval(() => this.beat(), BEAT_MS);
    root.dataset.ready = '1';
  }

  say(text, link = null) {
    const box = one('[data-player-say]', this.root);
    if (box.firstChild?.textContent === text && !link) return;
    box.textContent = text;
    if (!link) return;
    const a = Object.assign(document.createElement('a'), { className: 'btn btn-primary ms-2', href: link, textContent: t('继续下一步') });
    box.append(a);
  }

  // --- source -------------------------------------------------------------------------------------------------
  load(url, atS) {
    this.hls?.destroy();
    if (Hls.isSupported()) {
      // A worker would come from a blob: address, which the content policy refuses.
      this.hls = new Hls({ enableWorker: false, maxBufferLength: 30, startPosition: atS });
      let repairs = 0;
      this.hls.on(Hls.Events.ERROR, (_, problem) => {
        if (!problem.fatal) return;
        repairs += 1;
        if (repairs > 6) { this.say(t('视频无法播放，请检查网络后刷新页面')); return; }
        if (problem.type === Hls.ErrorTypes.MEDIA_ERROR) this.hls.recoverMediaError();
        else setTimeout(() => this.hls.startLoad(), 1000 * repairs);
      });
      this.hls.on(Hls.Events.FRAG_BUFFERED, () => { repairs = 0; });
      this.hls.loadSource(url);
      this.hls.attachMedia(this.video);
    } else if (this.video.canPlayType('application/vnd.apple.mpegurl')) {
      this.video.src = url;
      this.video.addEventListener('loadedmetadata', () => { this.video.currentTime = atS; }, { once: true });
    } else this.say(t('此浏览器不能播放该视频，请换用新版浏览器'));
  }

  captions() {
    const button = one('[data-player-captions]', this.root);
    if (!this.set.captions || !button) return;
    const track = document.createElement('track');
    Object.assign(track, { kind: 'captions', src: this.set.captions, srclang: 'zh', label: '中文', default: true });
    this.video.append(track);
    const show = (on) => { track.track.mode = on ? 'showing' : 'hidden'; button.setAttribute('aria-pressed', String(on)); };
    show(true);
    button.addEventListener('click', () => show(track.track.mode !== 'showing'));
  }

  // --- what was really watched --------------------------------------------------------------------------------
  watch() {
    const { video } = this;
    video.addEventListener('seeking', () => { this.last = null; this.hold(); });
    video.addEventListener('ratechange', () => { if (video.playbackRate > RATE_MAX) video.playbackRate = RATE_MAX; this.last = null; });
    // Counting starts with the picture, not with the first timeupdate a quarter of a second later.
    for (const name of ['play', 'playing', 'seeked']) {
      video.addEventListener(name, () => { if (!video.paused) this.last ??= { at: video.currentTime, now: performance.now() }; });
    }
    video.addEventListener('timeupdate', () => { this.note(); this.paint(); });
    for (const name of ['play', 'pause']) {
      video.addEventListener(name, () => {
        if (name === 'pause') { this.note(); this.last = null; this.beat(); }
        if (name === 'play' && this.dialog?.open) video.pause();
        this.paintPlay();
      });
    }
    video.addEventListener('ended', () => { this.note(); this.beat(); });
    video.addEventListener('waiting', () => { one('[data-player-wait]', this.root).hidden = false; });
    for (const name of ['playing', 'canplay', 'pause']) video.addEventListener(name, () => { one('[data-player-wait]', this.root).hidden = true; });
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) return;
      if (!this.audioOnly && !video.paused) { video.pause(); this.say(t('离开页面已暂停播放')); }
      this.beat(true);
    });
    window.addEventListener('pagehide', () => { this.note(); this.beat(true); });
    window.addEventListener('online', () => this.beat());
  }

  /** First viewing: back to the furthest point when someone aims beyond it. */
  hold() {
    if (!this.first || this.video.currentTime <= this.furthest + SEEK_SLACK_S) return;
    this.video.currentTime = this.furthest;
    this.say(t('首次学习不可快进到未学习的部分'));
  }

  /** Adds what played since the last look; a jump of the clock or of the position adds nothing. */
  note() {
    const now = performance.now();
    const at = this.video.currentTime;
    const { last } = this;
    if (last && !this.video.seeking) {
      const moved = at - last.at;
      const room = ((now - last.now) / 1000) * this.video.playbackRate * 1.25 + 0.4;
      if (moved > 0 && moved <= room) this.extend(last.at, at);
    }
    this.last = this.video.paused ? null : { at, now };
  }

  extend(from, to) {
    const rate = this.video.playbackRate;
    const open = this.pending[this.pending.length - 1];
    if (open && !open.sent && open.rate === rate && Math.abs(open.to_s - from) < 0.3) open.to_s = to;
    else this.pending.push({ from_s: from, to_s: to, rate, sent: false });
    if (to > this.furthest && from <= this.furthest + SEEK_SLACK_S) this.furthest = to;
  }

  // --- beat ---------------------------------------------------------------------------------------------------
  async beat(leaving = false) {
    if ((this.beating && !leaving) || !this.pending.length) return;
    this.beating = true;
    const batch = [...this.pending];
    batch.forEach((e) => { e.sent = true; });
    const round = (x) => Math.round(x * 100) / 100;
    const events = batch.map((e) => ({ from_s: round(e.from_s), to_s: round(e.to_s), rate: e.rate }));
    try {
      const answer = await send('POST', this.set.beatUrl, { session: this.set.session, events }, { keepalive: leaving });
      if (answer.ok) {
        this.pending = this.pending.filter((e) => !batch.includes(e));
        this.heard(answer.data, batch.reduce((max, e) => Math.max(max, e.to_s), 0));
      } else if (answer.status < 500 && answer.status !== 429) {
        this.video.pause();
        this.say(answer.data?.message ?? t('视频无法播放，请检查网络后刷新页面'));
      }
    } catch {
      this.say(t('网络中断，学习记录恢复后补传'));
    } finally {
      this.beating = false;
    }
  }

  heard(data, sentTo) {
    if (this.first && sentTo > data.furthest_s + REFUSED_SLACK_S) this.rewind(data.furthest_s);
    const unsent = this.pending.reduce((max, e) => Math.max(max, e.to_s), 0);
    const at = this.video.currentTime;
    this.furthest = Math.max(data.furthest_s, unsent, Math.min(this.furthest, data.furthest_s + SERVER_SLACK_S));
    if (this.first && at > data.furthest_s + SERVER_SLACK_S && at > unsent + SERVER_SLACK_S) this.hold();
    one('[data-player-credit]', this.root).textContent = t('已学 {a} / {b}', { a: minutes(data.credited_s), b: minutes(this.duration) });
    const say = one('[data-player-say]', this.root);
    if (say.textContent === t('网络中断，学习记录恢复后补传')) say.textContent = '';
    if (data.completed && !this.done) { this.done = true; this.say(t('本节已学完'), data.next_url); }
    if (data.face_check_due) this.checkFace();
  }

  /** The server did not credit all of it: what comes next would be a jump, so go on from where it stands. */
  rewind(toS) {
    this.pending = this.pending.filter((e) => e.to_s <= toS);
    this.furthest = toS;
    this.last = null;
    this.video.currentTime = toS;
    this.say(t('有一段没有计入学时，从这里继续'));
  }

  // --- face check ---------------------------------------------------------------------------------------------
  faces() {
    if (!this.dialog) return;
    this.camera = new Camera(one('[data-camera]', this.dialog), (_, good) => {
      if (!good) return true;
      setTimeout(() => { this.dialog.close(); this.say(''); this.video.play().catch(() => this.paintPlay()); }, 900);
      return true;
    });
    this.dialog.addEventListener('cancel', (event) => event.preventDefault());
    this.dialog.addEventListener('close', () => this.camera.stop());
  }

  checkFace() {
    if (!this.dialog || this.dialog.open) return;
    this.video.pause();
    if (document.fullscreenElement) document.exitFullscreen();
    this.say(t('请先完成人脸核验再继续'));
    this.dialog.showModal();
    this.camera.start();
  }

  // --- bar ----------------------------------------------------------------------------------------------------
  toggle() {
    if (this.video.paused) this.video.play().catch(() => this.paintPlay()); else this.video.pause();
  }

  seek(toS) {
    const end = this.first ? this.furthest : this.duration;
    if (toS > end + SEEK_SLACK_S) this.say(t('首次学习不可快进到未学习的部分'));
    this.video.currentTime = Math.max(0, Math.min(toS, end));
    this.paint();
  }

  buttons() {
    const on = (name, act) => one(`[data-player-${name}]`, this.root)?.addEventListener('click', act);
    on('play', () => this.toggle());
    on('big', () => this.toggle());
    this.video.addEventListener('click', () => this.toggle());
    on('back', () => this.seek(this.video.currentTime - 10));
    on('full', () => this.full());
    on('audio', (event) => this.listen(event.currentTarget));
    one('[data-player-seek]', this.root).addEventListener('input', (event) => this.seek(Number(event.target.value)));
    one('[data-player-rate]', this.root).addEventListener('change', (event) => { this.video.playbackRate = Number(event.target.value); });
  }

  listen(button) {
    const at = this.video.currentTime;
    const going = !this.video.paused;
    this.audioOnly = !this.audioOnly;
    this.root.classList.toggle('is-audio', this.audioOnly);
    button.setAttribute('aria-pressed', String(this.audioOnly));
    // hls.js drops audio-only levels of a mixed playlist, so listening has a playlist of its own.
    this.load(this.audioOnly ? this.set.audio : this.set.playlist, at);
    if (going) this.video.play().catch(() => this.paintPlay());
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.root.requestFullscreen) this.root.requestFullscreen();
    else this.video.webkitEnterFullscreen?.();
  }

  keys() {
    this.root.addEventListener('keydown', (event) => {
      if (this.dialog?.open || event.ctrlKey || event.metaKey || event.altKey) return;
      const busy = event.target.closest('button, select, input, a');
      const act = { k: () => this.toggle(), j: () => this.seek(this.video.currentTime - 10), c: () => one('[data-player-captions]', this.root)?.click(), f: () => this.full() }[event.key];
      if (act && !event.target.closest('select')) { event.preventDefault(); act(); }
      else if (event.key === ' ' && !busy) { event.preventDefault(); this.toggle(); }
    });
  }

  paint() {
    const at = this.video.currentTime;
    const bar = one('[data-player-seek]', this.root);
    if (document.activeElement !== bar || !this.video.paused) bar.value = at;
    bar.setAttribute('aria-valuetext', `${minutes(at)} / ${minutes(this.duration)}`);
    one('[data-player-reach]', this.root).value = this.furthest;
    one('[data-player-time]', this.root).textContent = minutes(at);
    one('[data-player-total]', this.root).textContent = minutes(this.duration);
  }

  paintPlay() {
    const paused = this.video.paused;
    one('[data-player-big]', this.root).hidden = !paused;
    const button = one('[data-player-play]', this.root);
    button.setAttribute('aria-label', paused ? t('播放') : t('暂停'));
    for (const el of every('[data-when]', button)) el.hidden = (el.dataset.when === 'paused') !== paused;
  }
}

for (const root of every('[data-player]')) root.player = new Player(root);
