/**
 * Build the script that pages include from the modules: `node build.js [FILE]`.
 *
 * The output is committed. It is not minified, so that whoever includes it can read it.
 */

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const SCRIPT = 'frontend_data_capture_integration.js';

const HEADER = `/*
 * Enhanced Data Capture: a second copy of what a page saves, without a change to the page.
 * First in <head>, without async or defer, or imported before all else.
 * Settings and API: see the .d.ts.
 *
 * Generated from the modules in browser/, where the comments are. Change those, and run
 * npm --prefix browser run build
 */`;

/**
 * Make constants constant again: esbuild turns them into variables. From constants at the top of a
 * function minifiers take the numbers, and so the names cost sites nothing.
 */
const withConstants = (code) => code.replace(/^var (?=[A-Z_]+ = [-\d][\d.e* ]*;$)/gm, 'const ');

/** Write `let` for the `const` of functions: minifiers keep the word, and `let` is shorter. */
const withLet = (code) => code.replace(/^(  +|.*for \()const /gm, '$1let ');

const { outputFiles: [{ text }] } = await build({
  absWorkingDir: REPOSITORY, // names the modules in the output
  entryPoints: ['browser/main.js'],
  bundle: true,
  write: false,
  target: 'es2021',
  logLevel: 'warning',
  // The function keeps names from the page. esbuild's own one ('iife') would put 'use strict'
  // before it, which would be true of all other code in a file that a site puts together.
  format: 'esm',
  banner: { js: HEADER + "\n(() => {\n'use strict';" },
  footer: { js: '})();' },
});
await writeFile(process.argv[2] ?? REPOSITORY + SCRIPT, withLet(withConstants(text)));
