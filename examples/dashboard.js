/* The dashboard page. Its save function is a global, as on existing sites; everything else stays inside. */

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
  // The simulated past of a new account, oldest first, so that there is a curve to look at.
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

  function write(id, text) {
    byId(id).textContent = text;
  }

  function storedObject(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  // ---- figures: whole cents inside, dollars at the edges ----

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

  function moneyText(cents) {
    return toDollars(cents).toLocaleString("en-US", { style: "currency", currency: "USD" });
  }

  function signedText(cents) {
    return (cents < 0 ? "−" : "+") + moneyText(Math.abs(cents));
  }

  function percentText(value) {
    return `${value.toFixed(1)}%`;
  }

  function equityCents() {
    return trades.reduce((equity, trade) => equity + toCents(trade.pnl), INITIAL_EQUITY_CENTS);
  }

  function equityCurve() {
    const curve = [INITIAL_EQUITY_CENTS];
    for (const trade of trades) curve.push(curve[curve.length - 1] + toCents(trade.pnl));
    return curve;
  }

  function drawdowns(curve) {
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

  function runLength(wanted) {
    let length = 0;
    while (length < trades.length && trades[trades.length - 1 - length].result === wanted) length += 1;
    return length;
  }

  function sumCents(list) {
    return list.reduce((sum, trade) => sum + toCents(trade.pnl), 0);
  }

  function performance() {
    const wins = trades.filter((trade) => trade.result === "win");
    const losses = trades.filter((trade) => trade.result === "loss");
    const grossProfit = sumCents(wins);
    const grossLoss = -sumCents(losses);
    const drawdown = drawdowns(equityCurve());
    return {
      totalPnl: toDollars(grossProfit - grossLoss),
      winRate: percentOf(wins.length, trades.length),
      totalTrades: trades.length,
      winningTrades: wins.length,
      losingTrades: losses.length,
      averageWin: wins.length ? roundTo(toDollars(grossProfit / wins.length), 2) : 0,
      averageLoss: losses.length ? roundTo(toDollars(grossLoss / losses.length), 2) : 0,
      profitFactor: grossLoss ? roundTo(grossProfit / grossLoss, 2) : null, // without a loss there is no such number
      maxDrawdown: drawdown.max,
      currentDrawdown: drawdown.current,
      grossProfit: toDollars(grossProfit),
      grossLoss: toDollars(grossLoss),
      consecutiveWins: runLength("win"),
      consecutiveLosses: runLength("loss"),
    };
  }

  function dayOf(date) {
    return date.toISOString().slice(0, 10);
  }

  function dailyStats() {
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

  // Mulberry32: a new account shows the same past on every visit.
  function seededRandom(seed) {
    return function () {
      seed = (seed + 0x6d2b79f5) | 0;
      let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
      return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
    };
  }

  function pick(list, random) {
    return list[Math.floor(random() * list.length)];
  }

  function simulatedTrade(result, closedAt, random) {
    const riskCents = Math.round((equityCents() * RISK_SETTINGS.riskPerTrade) / 100);
    const multiple = result === "win" ? 0.8 + 1.4 * random() : -(0.55 + 0.45 * random());
    return {
      id: `T-${trades.length + 1}`,
      symbol: pick(MARKETS, random),
      side: random() < 0.5 ? "buy" : "sell",
      result,
      riskAmount: toDollars(riskCents),
      pnl: toDollars(Math.round(riskCents * multiple)),
      closedAt: closedAt.toISOString(),
    };
  }

  function fillSampleTrades() {
    const random = seededRandom(2024);
    trades = [];
    Array.from(SAMPLE_RESULTS).forEach((letter, index) => {
      const daysAgo = SAMPLE_RESULTS.length - index;
      const closedAt = new Date(Date.now() - daysAgo * DAY_MS);
      trades.push(simulatedTrade(letter === "W" ? "win" : "loss", closedAt, random));
    });
  }

  // ---- what is saved ----

  function tradingState() {
    return {
      initialEquity: toDollars(INITIAL_EQUITY_CENTS),
      currentEquity: toDollars(equityCents()),
      trades,
      openPositions: [],
      riskSettings: { ...RISK_SETTINGS },
      performanceMetrics: performance(),
      dailyStats: dailyStats(),
    };
  }

  function dashboardData() {
    const equity = toDollars(equityCents());
    const figures = performance();
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
      await saveDashboardToSupabase(dashboardData(), tradingState(), theme, user);
      showSaved(new Date());
    } catch {
      write("dashboard-result", "Not saved. Please allow this site to store data in your browser.");
    }
  }

  // ---- the equity chart ----

  function svg(tag, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // The step is 1, 2 or 5 times a power of ten, so that the grid's figures read easily.
  function gridStep(range, lines) {
    const rough = range / lines;
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  }

  function chartScale(curve) {
    const { clientWidth: width, clientHeight: height } = byId("chart");
    const low = Math.min(...curve);
    const high = Math.max(...curve);
    const step = gridStep(Math.max(high - low, 20000), 5);
    const bottom = Math.floor(low / step) * step;
    const top = Math.max(Math.ceil(high / step) * step, bottom + step);
    const lastIndex = Math.max(curve.length - 1, 1);
    return {
      width, height, bottom, top, step,
      x: (index) => CHART_LEFT + ((width - CHART_LEFT - CHART_MARGIN) * index) / lastIndex,
      y: (equity) => CHART_MARGIN + ((height - 2 * CHART_MARGIN) * (top - equity)) / (top - bottom),
    };
  }

  function gridLines(scale) {
    const lines = [];
    for (let equity = scale.bottom; equity <= scale.top; equity += scale.step) {
      const y = scale.y(equity);
      const label = "$" + toDollars(equity).toLocaleString("en-US", { maximumFractionDigits: 0 });
      lines.push(svg("line", { class: "grid", x1: CHART_LEFT, x2: scale.width, y1: y, y2: y }));
      lines.push(svg("text", { x: CHART_LEFT - 12, y: y + 4, "text-anchor": "end" }, label));
    }
    return lines;
  }

  function areaGradient() {
    const gradient = svg("linearGradient", { id: "under-curve", x1: 0, y1: 0, x2: 0, y2: 1 });
    gradient.append(
      svg("stop", { class: "stop", offset: 0, "stop-opacity": 0.24 }),
      svg("stop", { class: "stop", offset: 1, "stop-opacity": 0 }),
    );
    return gradient;
  }

  function markerAt(index, curve, scale) {
    const x = scale.x(index);
    const y = scale.y(curve[index]);
    const marker = svg("g", { class: "marker" });
    if (index < curve.length - 1) {
      marker.append(svg("line", { class: "cursor", x1: x, x2: x, y1: CHART_MARGIN, y2: scale.height - CHART_MARGIN }));
    }
    marker.append(svg("circle", { class: "halo", cx: x, cy: y, r: 10 }), svg("circle", { class: "dot", cx: x, cy: y, r: 6 }));
    return marker;
  }

  function drawChart() {
    const curve = equityCurve();
    const scale = chartScale(curve);
    if (!scale.width) return; // not laid out yet
    const points = curve.map((equity, index) => `${scale.x(index).toFixed(1)} ${scale.y(equity).toFixed(1)}`).join("L");
    const floor = scale.y(scale.bottom);
    const start = scale.y(INITIAL_EQUITY_CENTS);
    const label = `Equity after ${trades.length} trades: ${moneyText(equityCents())}, from ${moneyText(INITIAL_EQUITY_CENTS)}`;
    const picture = svg("svg", { viewBox: `0 0 ${scale.width} ${scale.height}`, role: "img", "aria-label": label });
    picture.append(
      areaGradient(),
      ...gridLines(scale),
      svg("line", { class: "start", x1: CHART_LEFT, x2: scale.width, y1: start, y2: start }),
      svg("path", { class: "area", d: `M${points}V${floor}H${CHART_LEFT}Z` }),
      svg("path", { class: "curve", d: `M${points}` }),
      markerAt(curve.length - 1, curve, scale),
    );
    byId("chart").replaceChildren(picture);
  }

  function readoutText(index, curve) {
    if (index === 0) return `Start, ${moneyText(curve[0])}`;
    const trade = trades[index - 1];
    return `Trade ${index}, ${trade.symbol} ${signedText(toCents(trade.pnl))}, equity ${moneyText(curve[index])}`;
  }

  function pointAt(event) {
    const curve = equityCurve();
    const scale = chartScale(curve);
    const left = byId("chart").getBoundingClientRect().left;
    const share = (event.clientX - left - CHART_LEFT) / (scale.width - CHART_LEFT - CHART_MARGIN);
    const index = Math.min(Math.max(Math.round(share * (curve.length - 1)), 0), curve.length - 1);
    byId("chart").querySelector(".marker").replaceWith(markerAt(index, curve, scale));
    write("readout", readoutText(index, curve));
  }

  function pointAway() {
    drawChart();
    write("readout", readoutText(trades.length, equityCurve()));
  }

  // ---- the figures and lists around it ----

  function colour(id, cents) {
    byId(id).classList.toggle("gain-text", cents > 0);
    byId(id).classList.toggle("loss-text", cents < 0);
  }

  function showStats() {
    const figures = performance();
    const pnl = toCents(figures.totalPnl);
    const gainPercent = percentOf(pnl, INITIAL_EQUITY_CENTS);
    write("equity", moneyText(equityCents()));
    write("initial-equity", moneyText(INITIAL_EQUITY_CENTS));
    write("pnl", signedText(pnl));
    colour("pnl", pnl);
    write("pnl-percent", `${pnl < 0 ? "−" : "+"}${percentText(Math.abs(gainPercent))} since the start`);
    write("win-rate", percentText(figures.winRate));
    write("trade-count", figures.totalTrades);
    write("profit-factor", figures.profitFactor === null ? "–" : figures.profitFactor.toFixed(2));
    write("drawdown", percentText(figures.currentDrawdown));
    write("max-drawdown", percentText(figures.maxDrawdown));
    write("losses-now", figures.consecutiveLosses);
  }

  function showRules() {
    const todayCents = toCents(dailyStats().pnl);
    write("rule-risk", `${RISK_SETTINGS.riskPerTrade}%`);
    write("rule-daily", `${RISK_SETTINGS.dailyLossLimit}%`);
    write("rule-losses", RISK_SETTINGS.consecutiveLossesLimit);
    write("today", todayCents ? signedText(todayCents) : moneyText(0));
    colour("today", todayCents);
  }

  function cell(text, className) {
    const element = document.createElement("td");
    element.textContent = text;
    element.className = className;
    return element;
  }

  function tradeRow(trade, equity) {
    const closed = new Date(trade.closedAt).toLocaleDateString("en-US", { month: "short", day: "numeric" });
    const row = document.createElement("tr");
    row.append(
      cell(trade.symbol, ""),
      cell(trade.side === "buy" ? "Buy" : "Sell", ""),
      cell(closed, "when"),
      cell(signedText(toCents(trade.pnl)), trade.pnl < 0 ? "figure loss-text" : "figure gain-text"),
      cell(moneyText(equity), "figure"),
    );
    return row;
  }

  function showTrades() {
    const curve = equityCurve();
    const rows = trades.map((trade, index) => tradeRow(trade, curve[index + 1]));
    byId("trades").replaceChildren(...rows.slice(-TRADES_LISTED).reverse());
  }

  function showDesk() {
    showStats();
    showRules();
    showTrades();
    pointAway();
  }

  function applyTheme() {
    document.documentElement.dataset.theme = theme;
    write("theme-label", theme === "dark" ? "Light theme" : "Dark theme");
  }

  // ---- what the visitor does ----

  function record(result) {
    trades.push(simulatedTrade(result, new Date(), Math.random));
    showDesk();
    save();
  }

  function switchTheme() {
    theme = theme === "dark" ? "light" : "dark";
    applyTheme();
    save();
  }

  function openDesk() {
    const state = storedObject(`trading_state_${user.email}`);
    if (state && Array.isArray(state.trades)) trades = state.trades;
    else fillSampleTrades();
    write("who", `${user.name} (${user.email})`);
    write("dashboard-result", "Saved after every change");
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
      // Without storage the visit still works; it just isn't remembered.
    }
    openDesk();
    scrollTo(0, 0);
    byId("desk").focus({ preventScroll: true });
  }

  function showSignIn() {
    const payer = (storedObject("payment_success_data") || {}).userData || {};
    byId("sign-in-name").value = payer.fullName || "";
    byId("sign-in-email").value = payer.email || "";
    byId("desk").hidden = true;
    byId("sign-in-form").hidden = false;
  }

  function logOut() {
    try {
      localStorage.removeItem("current_user");
    } catch {
      // Nothing was remembered, so there is nothing to forget.
    }
    user = null;
    trades = [];
    showSignIn();
    byId("sign-in-name").focus();
  }

  function start() {
    applyTheme();
    user = storedObject("current_user");
    if (user && user.email) openDesk();
    else showSignIn();
  }

  byId("sign-in-form").addEventListener("submit", signIn);
  byId("log-out").addEventListener("click", logOut);
  byId("win").addEventListener("click", () => record("win"));
  byId("loss").addEventListener("click", () => record("loss"));
  byId("theme").addEventListener("click", switchTheme);
  byId("save").addEventListener("click", save);
  byId("chart").addEventListener("pointermove", pointAt);
  byId("chart").addEventListener("pointerleave", pointAway);
  new ResizeObserver(() => { if (user) drawChart(); }).observe(byId("chart"));

  start();
})();
