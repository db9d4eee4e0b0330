/**
 * Start the script, once per page.
 */

import { loadConfig } from './config.js';
import { ownGlobal, window } from './natives.js';
import { loadRules } from './rules.js';
import { provideApi } from './api.js';
import { begin } from './lifecycle.js';

// An element of that name is no script that ran before.
const before = ownGlobal('enhancedDataCapture');
if (window?.fetch && (!before || before instanceof Node)) {
  loadConfig();
  loadRules();
  provideApi();
  begin();
}
