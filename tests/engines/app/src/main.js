import { signIn, signOut } from './account.js';
import { pay, payAndLeave, rewriteForever } from './payment.js';
import { addSubmitHandler } from './questionnaire.js';
import { wrapBuiltIns } from './shell.js';

wrapBuiltIns();
document.body.innerHTML = `
  <form id="questionnaire-form">
    <input name="tradesPerDay" value="3-5"><button>Send</button>
  </form>
  <output></output>`;
addSubmitHandler();

const steps = {
  signIn,
  signOut,
  pay,
  payAndLeave,
  rewriteForever,
  submitQuestionnaire: () => document.querySelector('#questionnaire-form button').click(),
  saveDashboard: async (equity) => {
    const { Dashboard } = await import('./dashboard.js');
    await new Dashboard().save(equity);
  },
  // After a logout, some applications write a default state for the user who has left.
  writeDefaultState: (email) => {
    const state = { initialEquity: 10000, currentEquity: 10000, trades: [] };
    localStorage.removeItem(`trading_state_${email}`);
    localStorage.setItem(`trading_state_${email}`, JSON.stringify(state));
  },
};

// A test runs a step by an event, so that nothing of the application is global.
document.addEventListener('step', async ({ detail: { name, args, done } }) => {
  try {
    done(await steps[name](...args));
  } catch (error) {
    done(`failed: ${error}`);
  }
});
document.body.dataset.ready = 'yes';
