// Runs before the first paint. Without a `theme` cookie the page follows the system's light or dark setting.
(() => {
  const root = document.documentElement;
  if (!root.hasAttribute('data-theme-auto') || !window.matchMedia) return;
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const follow = () => root.setAttribute('data-bs-theme', dark.matches ? 'dark' : 'light');
  follow();
  dark.addEventListener?.('change', () => root.hasAttribute('data-theme-auto') && follow());
})();
