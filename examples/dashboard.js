/* The dashboard page. Its save function is global, as on real sites; the rest is private. */

async function saveDashboardToSupabase(dashboardData, tradingState, theme, user) {
  localStorage.setItem(`trading_state_${user.email}`, JSON.stringify(tradingState));
  localStorage.setItem(`dashboard_data_${user.email}`, JSON.stringify(dashboardData));
  localStorage.setItem("selected_theme", theme);
  return { data: { dashboardData, tradingState, theme }, error: null };
}

(function () {
  "use strict";

  const INITIAL_EQUITY_CENTS = 1000000;
  const RISK_SETTINGS = { riskPerTrade: 1, dailyLossLimit: 5, consecutiveLossesLimit: 3 };
  const MARKETS = ["EUR/USD", "GBP/USD", "USD/JPY", "XAU/USD", "BTC/USDT", "ETH/USDT"];
  // The results of a new account's simulated trades, oldest first, so that the chart shows a curve.
  const SAMPLE_RESULTS = "WWLWLWWLLWWWLWLWWWLLWWLWW";
  const DAY_MS = 24 * 60 * 60 * 1000;
  const TRADES_LISTED = 7;
  const CHART_LEFT = 58;
  const CHART_MARGIN = 10;

  let user = null;
  let trades = [];
  let theme = document.documentElement.dataset.theme || "dark";

  function byId(id) {
    return document.getElementById(id);
  }

  function setText(id, text) {
    byId(id).textContent = text;
  }

  function readStoredObject(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  // ---- figures: computed in whole cents, shown and saved in dollars ----

  function toCents(amount) {
    return Math.round(amount * 100);
  }

  function toDollars(cents) {
    return cents / 100;
  }

  function roundTo(value, digits) {
    return Number(value.toFixed(digits));
  }

  function percentOf(part, whole) {
    return whole ? roundTo((100 * part) / whole, 2) : 0;
  }

  function formatMoney(cents) {
    return toDollars(cents).toLocaleString("en-US", { style: "currency", currency: "USD" });
  }

  function formatSignedMoney(cents) {
    return (cents < 0 ? "−" : "+") + formatMoney(Math.abs(cents));
  }

  function formatPercent(value) {
    return `${value.toFixed(1)}%`;
  }

  function computeEquityCents() {
    return trades.reduce((equity, trade) => equity + toCents(trade.pnl), INITIAL_EQUITY_CENTS);
  }

  function computeEquityCurve() {
    const curve = [INITIAL_EQUITY_CENTS];
    for (const trade of trades) curve.push(curve[curve.length - 1] + toCents(trade.pnl));
    return curve;
  }

  function computeDrawdowns(curve) {
    let peak = curve[0];
    let current = 0;
    let max = 0;
    for (const equity of curve) {
      peak = Math.max(peak, equity);
      current = percentOf(peak - equity, peak);
      max = Math.max(max, current);
    }
    return { current, max };
  }

  function countLatest(wanted) {
    let length = 0;
    while (length < trades.length && trades[trades.length - 1 - length].result === wanted) {
      length += 1;
    }
    return length;
  }

  function sumCents(list) {
    return list.reduce((sum, trade) => sum + toCents(trade.pnl), 0);
  }

  function computePerformance() {
    const wins = trades.filter((trade) => trade.result === "win");
    const losses = trades.filter((trade) => trade.result === "loss");
    const grossProfit = sumCents(wins);
    const grossLoss = -sumCents(losses);
    const drawdown = computeDrawdowns(computeEquityCurve());
    return {
      totalPnl: toDollars(grossProfit - grossLoss),
      winRate: percentOf(wins.length, trades.length),
      totalTrades: trades.length,
      winningTrades: wins.length,
      losingTrades: losses.length,
      averageWin: wins.length ? roundTo(toDollars(grossProfit / wins.length), 2) : 0,
      averageLoss: losses.length ? roundTo(toDollars(grossLoss / losses.length), 2) : 0,
      // Undefined without a loss.
      profitFactor: grossLoss ? roundTo(grossProfit / grossLoss, 2) : null,
      maxDrawdown: drawdown.max,
      currentDrawdown: drawdown.current,
      grossProfit: toDollars(grossProfit),
      grossLoss: toDollars(grossLoss),
      consecutiveWins: countLatest("win"),
      consecutiveLosses: countLatest("loss"),
    };
  }

  function dayOf(date) {
    return date.toISOString().slice(0, 10);
  }

  function computeDailyStats() {
    const today = dayOf(new Date());
    const todays = trades.filter((trade) => trade.closedAt.startsWith(today));
    return {
      date: today,
      trades: todays.length,
      wins: todays.filter((trade) => trade.result === "win").length,
      losses: todays.filter((trade) => trade.result === "loss").length,
      pnl: toDollars(sumCents(todays)),
    };
  }

  // ---- simulated trades ----

  // The generator Mulberry32: a new account has the same simulated trades on every visit.
  function createRandom(seed) {
    return function () {
      seed = (seed + 0x6d2b79f5) | 0;
      let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
      return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
    };
  }

  function pickRandom(list, random) {
    return list[Math.floor(random() * list.length)];
  }

  function simulateTrade(result, closedAt, random) {
    const riskCents = Math.round((computeEquityCents() * RISK_SETTINGS.riskPerTrade) / 100);
    const multiple = result === "win" ? 0.8 + 1.4 * random() : -(0.55 + 0.45 * random());
    return {
      id: `T-${trades.length + 1}`,
      symbol: pickRandom(MARKETS, random),
      side: random() < 0.5 ? "buy" : "sell",
      result,
      riskAmount: toDollars(riskCents),
      pnl: toDollars(Math.round(riskCents * multiple)),
      closedAt: closedAt.toISOString(),
    };
  }

  function simulatePastTrades() {
    const random = createRandom(2024);
    trades = [];
    Array.from(SAMPLE_RESULTS).forEach((letter, index) => {
      const daysAgo = SAMPLE_RESULTS.length - index;
      const closedAt = new Date(Date.now() - daysAgo * DAY_MS);
      trades.push(simulateTrade(letter === "W" ? "win" : "loss", closedAt, random));
    });
  }

  // ---- the saved data ----

  function createTradingState() {
    return {
      initialEquity: toDollars(INITIAL_EQUITY_CENTS),
      currentEquity: toDollars(computeEquityCents()),
      trades,
      openPositions: [],
      riskSettings: { ...RISK_SETTINGS },
      performanceMetrics: computePerformance(),
      dailyStats: computeDailyStats(),
    };
  }

  function createDashboardData() {
    const equity = toDollars(computeEquityCents());
    const figures = computePerformance();
    return {
      userProfile: {
        name: user.name,
        email: user.email,
        accountSize: String(toDollars(INITIAL_EQUITY_CENTS)),
        riskPerTrade: `${RISK_SETTINGS.riskPerTrade}%`,
      },
      performance: {
        accountBalance: equity,
        totalPnl: figures.totalPnl,
        winRate: figures.winRate,
        totalTrades: figures.totalTrades,
        profitFactor: figures.profitFactor,
        maxDrawdown: figures.maxDrawdown,
      },
      riskProtocol: {
        maxDailyRisk: `${RISK_SETTINGS.dailyLossLimit}%`,
        riskPerTrade: `${RISK_SETTINGS.riskPerTrade}%`,
        consecutiveLossesLimit: RISK_SETTINGS.consecutiveLossesLimit,
      },
      account: { balance: equity, equity, currency: "USD" },
    };
  }

  function showSaved(savedAt) {
    const time = document.createElement("time");
    time.dateTime = savedAt.toISOString();
    time.textContent = savedAt.toLocaleTimeString("en-GB");
    byId("dashboard-result").replaceChildren("Saved at ", time);
  }

  async function save() {
    try {
      await saveDashboardToSupabase(createDashboardData(), createTradingState(), theme, user);
      showSaved(new Date());
    } catch {
      setText("dashboard-result", "Not saved. Allow this site to store data in your browser.");
    }
  }

  // ---- the equity chart ----

  function createSvg(tag, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // Returns 1, 2 or 5 times a power of ten, so that the grid has round numbers.
  function chooseGridStep(range, lines) {
    const rough = range / lines;
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  }

  function createScale(curve) {
    const { clientWidth: width, clientHeight: height } = byId("chart");
    const low = Math.min(...curve);
    const high = Math.max(...curve);
    const step = chooseGridStep(Math.max(high - low, 20000), 5);
    const bottom = Math.floor(low / step) * step;
    const top = Math.max(Math.ceil(high / step) * step, bottom + step);
    const lastIndex = Math.max(curve.length - 1, 1);
    return {
      width, height, bottom, top, step,
      x: (index) => CHART_LEFT + ((width - CHART_LEFT - CHART_MARGIN) * index) / lastIndex,
      y: (equity) => CHART_MARGIN + ((height - 2 * CHART_MARGIN) * (top - equity)) / (top - bottom),
    };
  }

  function createGridLines(scale) {
    const lines = [];
    for (let equity = scale.bottom; equity <= scale.top; equity += scale.step) {
      const y = scale.y(equity);
      const label = "$" + toDollars(equity).toLocaleString("en-US", { maximumFractionDigits: 0 });
      const ends = { x1: CHART_LEFT, x2: scale.width, y1: y, y2: y };
      lines.push(createSvg("line", { class: "grid", ...ends }));
      lines.push(createSvg("text", { x: CHART_LEFT - 12, y: y + 4, "text-anchor": "end" }, label));
    }
    return lines;
  }

  function createGradient() {
    const gradient = createSvg("linearGradient", { id: "under-curve", x1: 0, y1: 0, x2: 0, y2: 1 });
    gradient.append(
      createSvg("stop", { class: "stop", offset: 0, "stop-opacity": 0.24 }),
      createSvg("stop", { class: "stop", offset: 1, "stop-opacity": 0 }),
    );
    return gradient;
  }

  function createMarker(index, curve, scale) {
    const x = scale.x(index);
    const y = scale.y(curve[index]);
    const marker = createSvg("g", { class: "marker" });
    if (index < curve.length - 1) {
      const ends = { x1: x, x2: x, y1: CHART_MARGIN, y2: scale.height - CHART_MARGIN };
      marker.append(createSvg("line", { class: "cursor", ...ends }));
    }
    marker.append(
      createSvg("circle", { class: "halo", cx: x, cy: y, r: 10 }),
      createSvg("circle", { class: "dot", cx: x, cy: y, r: 6 }),
    );
    return marker;
  }

  function drawChart() {
    const curve = computeEquityCurve();
    const scale = createScale(curve);
    if (!scale.width) return; // the page has no layout yet
    const points = curve
      .map((equity, index) => `${scale.x(index).toFixed(1)} ${scale.y(equity).toFixed(1)}`)
      .join("L");
    const floor = scale.y(scale.bottom);
    const start = scale.y(INITIAL_EQUITY_CENTS);
    const equity = formatMoney(computeEquityCents());
    const initialEquity = formatMoney(INITIAL_EQUITY_CENTS);
    const label = `Equity after ${trades.length} trades: ${equity}, from ${initialEquity}`;
    const viewBox = `0 0 ${scale.width} ${scale.height}`;
    const picture = createSvg("svg", { viewBox, role: "img", "aria-label": label });
    picture.append(
      createGradient(),
      ...createGridLines(scale),
      createSvg("line", { class: "start", x1: CHART_LEFT, x2: scale.width, y1: start, y2: start }),
      createSvg("path", { class: "area", d: `M${points}V${floor}H${CHART_LEFT}Z` }),
      createSvg("path", { class: "curve", d: `M${points}` }),
      createMarker(curve.length - 1, curve, scale),
    );
    byId("chart").replaceChildren(picture);
  }

  function describePoint(index, curve) {
    if (index === 0) return `Start, ${formatMoney(curve[0])}`;
    const trade = trades[index - 1];
    const result = `${trade.symbol} ${formatSignedMoney(toCents(trade.pnl))}`;
    return `Trade ${index}, ${result}, equity ${formatMoney(curve[index])}`;
  }

  function showPointUnder(event) {
    const curve = computeEquityCurve();
    const scale = createScale(curve);
    const left = byId("chart").getBoundingClientRect().left;
    const share = (event.clientX - left - CHART_LEFT) / (scale.width - CHART_LEFT - CHART_MARGIN);
    const index = Math.min(Math.max(Math.round(share * (curve.length - 1)), 0), curve.length - 1);
    byId("chart").querySelector(".marker").replaceWith(createMarker(index, curve, scale));
    setText("readout", describePoint(index, curve));
  }

  function showLatestPoint() {
    drawChart();
    setText("readout", describePoint(trades.length, computeEquityCurve()));
  }

  // ---- the figures and lists around the chart ----

  function colourBySign(id, cents) {
    byId(id).classList.toggle("gain-text", cents > 0);
    byId(id).classList.toggle("loss-text", cents < 0);
  }

  function showStats() {
    const figures = computePerformance();
    const pnl = toCents(figures.totalPnl);
    const gainPercent = percentOf(pnl, INITIAL_EQUITY_CENTS);
    setText("equity", formatMoney(computeEquityCents()));
    setText("initial-equity", formatMoney(INITIAL_EQUITY_CENTS));
    setText("pnl", formatSignedMoney(pnl));
    colourBySign("pnl", pnl);
    const sign = pnl < 0 ? "−" : "+";
    setText("pnl-percent", `${sign}${formatPercent(Math.abs(gainPercent))} since the start`);
    setText("win-rate", formatPercent(figures.winRate));
    setText("trade-count", figures.totalTrades);
    const factor = figures.profitFactor;
    setText("profit-factor", factor === null ? "–" : factor.toFixed(2));
    setText("drawdown", formatPercent(figures.currentDrawdown));
    setText("max-drawdown", formatPercent(figures.maxDrawdown));
    setText("losses-now", figures.consecutiveLosses);
  }

  function showRules() {
    const todayCents = toCents(computeDailyStats().pnl);
    setText("rule-risk", `${RISK_SETTINGS.riskPerTrade}%`);
    setText("rule-daily", `${RISK_SETTINGS.dailyLossLimit}%`);
    setText("rule-losses", RISK_SETTINGS.consecutiveLossesLimit);
    setText("today", todayCents ? formatSignedMoney(todayCents) : formatMoney(0));
    colourBySign("today", todayCents);
  }

  function createCell(text, className) {
    const element = document.createElement("td");
    element.textContent = text;
    element.className = className;
    return element;
  }

  function createTradeRow(trade, equity) {
    const format = { month: "short", day: "numeric" };
    const closed = new Date(trade.closedAt).toLocaleDateString("en-US", format);
    const colourClass = trade.pnl < 0 ? "loss-text" : "gain-text";
    const row = document.createElement("tr");
    row.append(
      createCell(trade.symbol, ""),
      createCell(trade.side === "buy" ? "Buy" : "Sell", ""),
      createCell(closed, "when"),
      createCell(formatSignedMoney(toCents(trade.pnl)), `figure ${colourClass}`),
      createCell(formatMoney(equity), "figure"),
    );
    return row;
  }

  function showTrades() {
    const curve = computeEquityCurve();
    const rows = trades.map((trade, index) => createTradeRow(trade, curve[index + 1]));
    byId("trades").replaceChildren(...rows.slice(-TRADES_LISTED).reverse());
  }

  function showDesk() {
    showStats();
    showRules();
    showTrades();
    showLatestPoint();
  }

  function applyTheme() {
    document.documentElement.dataset.theme = theme;
    setText("theme-label", theme === "dark" ? "Light theme" : "Dark theme");
  }

  // ---- the visitor's actions ----

  function recordTrade(result) {
    trades.push(simulateTrade(result, new Date(), Math.random));
    showDesk();
    save();
  }

  function switchTheme() {
    theme = theme === "dark" ? "light" : "dark";
    applyTheme();
    save();
  }

  function openDesk() {
    const state = readStoredObject(`trading_state_${user.email}`);
    if (state && Array.isArray(state.trades)) trades = state.trades;
    else simulatePastTrades();
    setText("who", `${user.name} (${user.email})`);
    setText("dashboard-result", "Saved after every change");
    byId("sign-in-form").hidden = true;
    byId("desk").hidden = false;
    showDesk();
  }

  function signIn(event) {
    event.preventDefault();
    const email = byId("sign-in-email").value.trim().toLowerCase();
    user = { id: `desk-${email}`, name: byId("sign-in-name").value.trim(), email };
    try {
      localStorage.setItem("current_user", JSON.stringify(user));
    } catch {
      // Without storage the page works, but the next visit has to sign in again.
    }
    openDesk();
    scrollTo(0, 0);
    byId("desk").focus({ preventScroll: true });
  }

  function showSignIn() {
    const payer = (readStoredObject("payment_success_data") || {}).userData || {};
    byId("sign-in-name").value = payer.fullName || "";
    byId("sign-in-email").value = payer.email || "";
    byId("desk").hidden = true;
    byId("sign-in-form").hidden = false;
  }

  function logOut() {
    try {
      localStorage.removeItem("current_user");
    } catch {
      // Without storage there is nothing to remove.
    }
    user = null;
    trades = [];
    showSignIn();
    byId("sign-in-name").focus();
  }

  function start() {
    applyTheme();
    user = readStoredObject("current_user");
    if (user && user.email) openDesk();
    else showSignIn();
  }

  byId("sign-in-form").addEventListener("submit", signIn);
  byId("log-out").addEventListener("click", logOut);
  byId("win").addEventListener("click", () => recordTrade("win"));
  byId("loss").addEventListener("click", () => recordTrade("loss"));
  byId("theme").addEventListener("click", switchTheme);
  byId("save").addEventListener("click", save);
  byId("chart").addEventListener("pointermove", showPointUnder);
  byId("chart").addEventListener("pointerleave", showLatestPoint);
  new ResizeObserver(() => {
    if (user) drawChart();
  }).observe(byId("chart"));

  start();
})();
