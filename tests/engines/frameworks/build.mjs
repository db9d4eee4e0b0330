// Bundles the pages' entry modules: node build.mjs FOLDER PAGE…
import fs from 'node:fs';
import { build } from 'esbuild';

const [folder, ...pages] = process.argv.slice(2);
const entryOf = (page) => (
  ['main.jsx', 'main.js'].map((file) => `${page}/${file}`).find((file) => fs.existsSync(file))
);

await build({
  entryPoints: Object.fromEntries(pages.map((page) => [page, entryOf(page)])),
  outdir: folder,
  bundle: true,
  format: 'esm',
  minify: true,
  jsx: 'automatic',
  target: 'es2022',
  define: { 'process.env.NODE_ENV': '"production"', 'globalThis.__DEV__': 'false' },
  logLevel: 'error',
});
