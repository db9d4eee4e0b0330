// A chunk of its own, loaded when the dashboard is shown.
import { signedInUser } from './account.js';
import { send } from './network.js';

export class Dashboard {
  #trades = 8;

  /** Saves one state three times: nested in storage, flat by POST, and the equity again by PUT. */
  save = async (equity) => {
    const { id, email } = signedInUser();
    const pnl = equity - 10000;
    localStorage.setItem(`trading_state_${email}`, JSON.stringify({
      initialEquity: 10000, currentEquity: equity, trades: [], openPositions: [],
      riskSettings: { riskPerTrade: 1.5, dailyLossLimit: 3, consecutiveLossesLimit: 4 },
      performanceMetrics: {
        totalPnl: pnl, winRate: 62.5, totalTrades: this.#trades, winningTrades: 5, losingTrades: 3,
      },
      dailyStats: { pnl: 0 },
    }));
    await send('POST', '/api/simple/dashboard', {
      user_email: email, total_pnl: pnl, win_rate: 62.5, total_trades: this.#trades,
      winning_trades: 5, losing_trades: 3, initial_equity: 10000, current_equity: String(equity),
      selected_theme: 'dark', risk_per_trade_percentage: 1.5, daily_loss_limit: 3,
      consecutive_losses_limit: 4, account_balance: equity, open_positions: [], trade_history: [],
    });
    await send('PUT', '/api/dashboard/equity', {
      user_id: id, current_equity: String(equity), total_pnl: pnl, account_balance: equity,
    });
  };
}
