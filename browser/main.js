/**
 * Start the script, once per page.
 */

import { provideApi } from './api.js';
import { loadConfig } from './config.js';
import { NAME } from './constants.js';
import { begin } from './lifecycle.js';
import { ownGlobal, window } from './natives.js';
import { loadRules } from './rules.js';
import { runAsWorker } from './worker.js';

if (!window && globalThis.name === NAME) runAsWorker();

// An element of that name is no script that ran before.
const before = ownGlobal('enhancedDataCapture');
if (window?.fetch && (!before || before instanceof Node)) {
  loadConfig();
  loadRules();
  provideApi();
  begin();
}
