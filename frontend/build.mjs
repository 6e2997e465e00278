// Builds everything the browser gets: `npm run build` (add --watch to rebuild on change).
//   frontend/src/*.js, *.css      -> lms/core/static/dist/[name]-[HASH].js|css, with .br and .gz beside them
//   icons named in the sources    -> lms/core/static/dist/icons-[HASH].svg, one sprite
//   frontend/src/*.svg            -> lms/core/static/dist/[name]-[HASH].svg
//   manifest.json                 -> {"theme.css": "theme-ABCD1234.css", …}, read by the Jinja global asset()
//   Noto fonts for certificates   -> certs/assets/fonts/
// The output holds no modern CSS functions (old WebViews show it) and is the same for the same sources.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync, watch } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import * as esbuild from 'esbuild';
import { PurgeCSS } from 'purgecss';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const SRC = path.join(ROOT, 'frontend/src');
const DIST = path.join(ROOT, 'lms/core/static/dist');
const MODULES = path.join(ROOT, 'node_modules');
// Everything is built here and then put in place by one rename, so a running server never sees half a build.
const STAGE = path.join(MODULES, `.cache/anzheng-${process.pid}`);
const ROOMS = ['lms', 'media', 'exams', 'certs', 'supervision'];
const TARGET = ['chrome97', 'safari15'];
const FORBIDDEN_CSS = /color-mix\(|oklch\(|oklab\(|:has\(|@layer\b|@property\b|@container\b/;
const FONTS = [
  'noto-serif-sc/400Regular/NotoSerifSC_400Regular.ttf',
  'noto-serif-sc/700Bold/NotoSerifSC_700Bold.ttf',
  'noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf',
];
// Classes that only scripts or the server put together; everything else is found in the sources.
const SAFE_CLASSES = [/^htmx-/, /^data-bs-theme/, /^is-/, /^was-/];

const hash8 = (data) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return [...createHash('sha256').update(data).digest().subarray(0, 8)].map((b) => alphabet[b & 31]).join('');
};

async function walk(folder, wanted) {
  if (!existsSync(folder)) return [];
  const found = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!['static', '__pycache__', 'node_modules'].includes(entry.name)) found.push(...(await walk(full, wanted)));
    } else if (wanted.test(entry.name)) found.push(full);
  }
  return found.sort();
}

async function readSources() {
  const files = [path.join(ROOT, 'docs/frontend.md')].filter((f) => existsSync(f));
  for (const room of ROOMS) files.push(...(await walk(path.join(ROOT, room), /\.(html|py)$/)));
  files.push(...(await walk(SRC, /\.js$/)));
  return Promise.all(files.map(async (file) => ({ file, text: await readFile(file, 'utf8') })));
}

/** Names in icons.txt plus every quoted word in templates and Python that is an icon's name. */
async function iconNames(sources) {
  const known = new Set();
  for (const [folder, suffix] of [['outline', ''], ['filled', '-filled']]) {
    for (const f of await readdir(path.join(MODULES, '@tabler/icons/icons', folder))) known.add(f.replace('.svg', suffix));
  }
  const names = new Set((await readFile(path.join(SRC, 'icons.txt'), 'utf8')).split(/\s+/).filter(Boolean));
  for (const { text } of sources) {
    for (const m of text.matchAll(/\bicon\(\s*["']([a-z0-9-]+)["']/g)) names.add(m[1]);
    for (const m of text.matchAll(/["']([a-z][a-z0-9]*(?:-[a-z0-9]+)*)["']/g)) if (known.has(m[1])) names.add(m[1]);
  }
  const unknown = [...names].filter((n) => !known.has(n));
  if (unknown.length) console.warn(`not an icon of Tabler: ${unknown.join(', ')}`);
  return [...names].filter((n) => known.has(n)).sort();
}

async function iconSprite(names) {
  const symbols = await Promise.all(names.map(async (name) => {
    const filled = name.endsWith('-filled');
    const file = path.join(MODULES, '@tabler/icons/icons', filled ? 'filled' : 'outline', `${filled ? name.slice(0, -7) : name}.svg`);
    const inner = (await readFile(file, 'utf8')).replace(/^[\s\S]*?<svg[^>]*>/, '').replace('</svg>', '')
      .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*\/>/, '').replace(/\s+/g, ' ').trim();
    const paint = filled ? 'fill="currentColor" stroke="none"' : 'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"';
    return `<symbol id="${name}" viewBox="0 0 24 24" ${paint}>${inner}</symbol>`;
  }));
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join('')}</svg>\n`;
}

/** Bootstrap without the rules that no template, script or Python file mentions. */
async function purgedBootstrap(sources) {
  const raw = sources.map(({ text }) => ({ raw: text, extension: 'html' }));
  const [result] = await new PurgeCSS().purge({
    content: raw,
    css: [path.join(MODULES, 'bootstrap/dist/css/bootstrap.css')],
    defaultExtractor: (text) => text.match(/[\w-]+/g) ?? [],
    safelist: { standard: SAFE_CLASSES, deep: [/data-bs-theme/] },
    variables: false,
  });
  return result.css;
}

const bootstrapPlugin = (css) => ({
  name: 'purged-bootstrap',
  setup(build) {
    build.onResolve({ filter: /^bootstrap$/ }, () => ({ path: 'bootstrap.css', namespace: 'purged' }));
    build.onLoad({ filter: /.*/, namespace: 'purged' }, () => ({ contents: css, loader: 'css' }));
  },
});

async function bundle(entryPoints, options) {
  const result = await esbuild.build({
    entryPoints, outdir: STAGE, bundle: true, minify: true, metafile: true, write: true, legalComments: 'none',
    entryNames: '[name]-[hash]', chunkNames: 'chunk-[hash]', target: TARGET, logLevel: 'warning', absWorkingDir: ROOT, ...options,
  });
  const named = {};
  for (const [out, info] of Object.entries(result.metafile.outputs)) {
    if (info.entryPoint) named[path.basename(info.entryPoint)] = path.basename(out);
  }
  return named;
}

async function compress() {
  const brotli = promisify(zlib.brotliCompress);
  const gzip = promisify(zlib.gzip);
  for (const name of await readdir(STAGE)) {
    if (!/\.(js|css|svg|json)$/.test(name)) continue;
    const data = await readFile(path.join(STAGE, name));
    const quality = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 10 } };
    await writeFile(path.join(STAGE, `${name}.br`), await brotli(data, quality));
    await writeFile(path.join(STAGE, `${name}.gz`), await gzip(data, { level: 9 }));
  }
}

async function writeHashed(name, text) {
  const { name: stem, ext } = path.parse(name);
  const hashed = `${stem}-${hash8(text)}${ext}`;
  await writeFile(path.join(STAGE, hashed), text);
  return hashed;
}

async function copyFonts() {
  const target = path.join(ROOT, 'certs/assets/fonts');
  await mkdir(target, { recursive: true });
  for (const font of FONTS) {
    const from = path.join(MODULES, '@expo-google-fonts', font);
    const to = path.join(target, path.basename(font));
    if (!existsSync(to) || (await stat(to)).size !== (await stat(from)).size) await copyFile(from, to);
  }
}

async function refuseModernCss() {
  for (const name of (await readdir(STAGE)).filter((n) => n.endsWith('.css'))) {
    const hit = (await readFile(path.join(STAGE, name), 'utf8')).match(FORBIDDEN_CSS);
    if (hit) throw new Error(`${name} holds ${hit[0]}: old WebViews lose the colour of what it paints`);
  }
}

async function build() {
  const began = Date.now();
  const sources = await readSources();
  const entries = (await readdir(SRC)).sort().map((n) => path.join(SRC, n));
  const scripts = entries.filter((n) => n.endsWith('.js') && !n.endsWith('theme-init.js'));
  const bootstrap = await purgedBootstrap(sources);
  const sprite = await iconSprite(await iconNames(sources));

  await rm(STAGE, { recursive: true, force: true });
  await mkdir(STAGE, { recursive: true });
  const manifest = {
    ...(await bundle(scripts, { format: 'esm', splitting: true })),
    ...(await bundle([path.join(SRC, 'theme-init.js')], { format: 'iife' })),
    ...(await bundle(entries.filter((n) => n.endsWith('.css')), { plugins: [bootstrapPlugin(bootstrap)] })),
    'icons.svg': await writeHashed('icons.svg', sprite),
  };
  for (const file of entries.filter((n) => n.endsWith('.svg'))) {
    manifest[path.basename(file)] = await writeHashed(path.basename(file), await readFile(file, 'utf8'));
  }
  await refuseModernCss();
  await compress();
  const ordered = Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeFile(path.join(STAGE, 'manifest.json'), `${JSON.stringify(ordered, null, 2)}\n`);
  await mkdir(path.dirname(DIST), { recursive: true });
  await rm(DIST, { recursive: true, force: true });
  await rename(STAGE, DIST);
  await copyFonts();
  console.log(`built ${Object.keys(ordered).length} assets in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

await build();
if (process.argv.includes('--watch')) {
  let timer;
  const again = () => { clearTimeout(timer); timer = setTimeout(() => build().catch((e) => console.error(e.message)), 300); };
  watch(SRC, again);
  for (const room of ROOMS) {
    const folder = path.join(ROOT, room);
    if (existsSync(folder)) watch(folder, { recursive: true }, (_, file) => { if (file && /\.(html|py)$/.test(file) && !file.includes('static')) again(); });
  }
}
