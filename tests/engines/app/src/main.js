import { signIn, signOut } from './account.js';
import { pay, payAndLeave, rewriteForEver } from './payment.js';
import { show } from './questionnaire.js';
import { prepare } from './shell.js';

prepare();
document.body.innerHTML = `
  <form id="questionnaire-form"><input name="tradesPerDay" value="3-5"><button>Send</button></form>
  <output></output>`;
show();

const steps = {
  signIn,
  signOut,
  pay,
  payAndLeave,
  rewriteForEver,
  answer: () => document.querySelector('#questionnaire-form button').click(),
  dashboard: async (equity) => {
    const { Dashboard } = await import('./dashboard.js');
    await new Dashboard().save(equity);
  },
  // As after a logout: a default state for somebody whose own was just removed.
  defaultState: (email) => {
    localStorage.removeItem(`trading_state_${email}`);
    localStorage.setItem(`trading_state_${email}`, JSON.stringify({ initialEquity: 10000, currentEquity: 10000, trades: [] }));
  },
};

// The buttons of this page: a step is taken by an event, so that nothing of the application is global.
document.addEventListener('step', async ({ detail: { name, given, taken } }) => {
  try {
    taken(await steps[name](...given));
  } catch (reason) {
    taken(`failed: ${reason}`);
  }
});
document.body.dataset.ready = 'yes';
