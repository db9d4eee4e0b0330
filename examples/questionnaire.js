/* The questionnaire page. Its save function is global, as on real sites; the rest is private. */

window.storeQuestionnaireData = async function (questionnaireData) {
  // A picture in base64 could fill the browser's few megabytes of storage, so the page stores only
  // the file's name, size and type.
  const { accountScreenshot, ...answers } = questionnaireData;
  const stored = JSON.stringify({ ...answers, timestamp: new Date().toISOString() });
  localStorage.setItem("questionnaireAnswers", stored);
  sessionStorage.setItem("currentQuestionnaire", stored);
  return { data: answers, error: null };
};

(function () {
  "use strict";

  const MEGABYTE = 1024 * 1024;
  const SCREENSHOT_LIMIT_BYTES = 10 * MEGABYTE;

  const form = byId("questionnaire-form");
  let screenshot = null; // { file, dataUrl: Promise<string> }

  function byId(id) {
    return document.getElementById(id);
  }

  function setText(id, text) {
    byId(id).textContent = text;
  }

  function readValue(id) {
    return byId(id).value.trim();
  }

  function readChosenLabel(id) {
    return byId(id).selectedOptions[0].textContent;
  }

  function readCheckedValues(name) {
    return Array.from(form.querySelectorAll(`input[name=${name}]:checked`), (box) => box.value);
  }

  function readCustomPairs() {
    return readValue("customForexPairs")
      .split(",")
      .map((pair) => pair.trim().toUpperCase())
      .filter(Boolean);
  }

  function formatDollars(amount) {
    const format = { style: "currency", currency: "USD", maximumFractionDigits: 0 };
    return amount.toLocaleString("en-US", format);
  }

  function formatSize(bytes) {
    if (bytes < MEGABYTE) return `${Math.max(1, Math.round(bytes / 1024))} KB`;
    return `${(bytes / MEGABYTE).toFixed(1)} MB`;
  }

  function showRiskPlan() {
    const account = Number(byId("accountSize").value.replace(/[$,]/g, ""));
    const risk = (account * Number(byId("riskPercentage").value)) / 100;
    const reward = Number(byId("riskRewardRatio").value);
    setText("plan-account", formatDollars(account));
    setText("plan-risk", formatDollars(risk));
    setText("plan-target", formatDollars(risk * reward));
    setText("plan-break-even", `${Math.round(100 / (1 + reward))}%`);
  }

  function updateEquityField() {
    byId("accountEquity").disabled = readValue("hasAccount") === "no";
  }

  function readAsDataUrl(file) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(file);
    });
  }

  function findScreenshotProblem(file) {
    if (!file.type.startsWith("image/")) {
      return "That file is not a picture. Choose a PNG, JPEG or WebP.";
    }
    if (file.size > SCREENSHOT_LIMIT_BYTES) {
      return `That picture is ${formatSize(file.size)}. Choose one of up to 10 MB.`;
    }
    return "";
  }

  function removeScreenshot() {
    screenshot = null;
    byId("accountScreenshot").value = "";
    byId("screenshot-picture").removeAttribute("src");
    byId("screenshot-preview").hidden = true;
    byId("screenshot-drop").hidden = false;
  }

  function showScreenshotProblem(text) {
    setText("screenshot-problem", text);
    byId("screenshot-problem").hidden = !text;
  }

  async function showScreenshot(picked) {
    try {
      const dataUrl = await picked.dataUrl;
      if (screenshot !== picked) return; // the visitor has chosen another picture meanwhile
      byId("screenshot-picture").src = dataUrl;
      setText("screenshot-name", picked.file.name);
      setText("screenshot-size", formatSize(picked.file.size));
      byId("screenshot-drop").hidden = true;
      byId("screenshot-preview").hidden = false;
    } catch {
      if (screenshot !== picked) return;
      removeScreenshot();
      showScreenshotProblem("That picture could not be read. Choose it again.");
    }
  }

  function pickScreenshot() {
    const file = byId("accountScreenshot").files[0];
    if (!file) return;
    const problem = findScreenshotProblem(file);
    showScreenshotProblem(problem);
    if (problem) {
      removeScreenshot();
      return;
    }
    screenshot = { file, dataUrl: readAsDataUrl(file) };
    showScreenshot(screenshot);
  }

  async function readScreenshotFields() {
    if (!screenshot) return {};
    return {
      accountScreenshot: await screenshot.dataUrl,
      screenshotFilename: screenshot.file.name,
      screenshotSize: screenshot.file.size,
      screenshotType: screenshot.file.type,
    };
  }

  function readAnswers() {
    const hasAccount = readValue("hasAccount");
    return {
      user_email: readValue("email"),
      user_name: readValue("name"),
      tradesPerDay: readValue("tradesPerDay"),
      tradingSession: readValue("tradingSession"),
      cryptoAssets: readCheckedValues("cryptoAssets"),
      forexAssets: readCheckedValues("forexAssets"),
      customForexPairs: readCustomPairs(),
      hasAccount,
      accountEquity: hasAccount === "yes" ? readValue("accountEquity").replace(/,/g, "") : "",
      propFirm: readValue("propFirm"),
      accountType: readValue("accountType"),
      accountSize: readValue("accountSize"),
      riskPercentage: readValue("riskPercentage"),
      riskRewardRatio: readValue("riskRewardRatio"),
    };
  }

  function showResult(answers) {
    const result = byId("questionnaire-result");
    const markets = [...answers.cryptoAssets, ...answers.forexAssets, ...answers.customForexPairs];
    setText("sent-name", answers.user_name);
    const session = readChosenLabel("tradingSession");
    setText("sent-session", `${session}, ${answers.tradesPerDay} trades per day`);
    setText("sent-markets", markets.join(", ") || "None chosen");
    const risk = `${answers.riskPercentage}% of ${answers.accountSize}`;
    setText("sent-risk", `${risk}, ${readChosenLabel("riskRewardRatio")}`);
    setText("sent-screenshot", answers.screenshotFilename || "None");
    byId("sent-picture").hidden = !answers.accountScreenshot;
    if (answers.accountScreenshot) byId("sent-picture").src = answers.accountScreenshot;
    byId("questions").hidden = true;
    result.hidden = false;
    scrollTo(0, 0);
    result.focus({ preventScroll: true });
  }

  function showProblem() {
    const problem = byId("questionnaire-problem");
    problem.textContent =
      "Your answers could not be saved. " +
      "Allow this site to store data in your browser, then try again.";
    problem.hidden = false;
  }

  async function sendAnswers(event) {
    event.preventDefault();
    // Reading a large picture takes a moment, and a second click would send the answers twice.
    byId("submit").disabled = true;
    byId("questionnaire-problem").hidden = true;
    try {
      const answers = { ...readAnswers(), ...(await readScreenshotFields()) };
      await window.storeQuestionnaireData(answers);
      showResult(answers);
    } catch {
      showProblem();
    } finally {
      byId("submit").disabled = false;
    }
  }

  function changeAnswers() {
    byId("questionnaire-result").hidden = true;
    byId("questions").hidden = false;
    scrollTo(0, 0);
    byId("name").focus({ preventScroll: true });
  }

  function readStoredObject(key) {
    try {
      return JSON.parse(localStorage.getItem(key)) || {};
    } catch {
      return {};
    }
  }

  function fillKnownVisitor() {
    const user = readStoredObject("current_user");
    const payer = readStoredObject("payment_success_data").userData || {};
    byId("name").value = user.name || payer.fullName || "";
    byId("email").value = user.email || payer.email || "";
  }

  function clearScreenshot() {
    removeScreenshot();
    byId("accountScreenshot").focus();
  }

  form.addEventListener("submit", sendAnswers);
  form.addEventListener("input", showRiskPlan);
  byId("hasAccount").addEventListener("change", updateEquityField);
  byId("accountScreenshot").addEventListener("change", pickScreenshot);
  byId("screenshot-remove").addEventListener("click", clearScreenshot);
  byId("again").addEventListener("click", changeAnswers);

  fillKnownVisitor();
  showRiskPlan();
  updateEquityField();
})();
