/* The questionnaire page. Its save function is a global, as on existing sites; everything else stays inside. */

window.storeQuestionnaireData = async function (questionnaireData) {
  // A picture as base64 can fill the browser's few megabytes of storage alone: the page keeps the file's name and size.
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

  function write(id, text) {
    byId(id).textContent = text;
  }

  function valueOf(id) {
    return byId(id).value.trim();
  }

  function chosenLabel(id) {
    return byId(id).selectedOptions[0].textContent;
  }

  function checkedValues(name) {
    return Array.from(form.querySelectorAll(`input[name=${name}]:checked`), (box) => box.value);
  }

  function customPairs() {
    return valueOf("customForexPairs").split(",").map((pair) => pair.trim().toUpperCase()).filter(Boolean);
  }

  function dollars(amount) {
    return amount.toLocaleString("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 0 });
  }

  function sizeText(bytes) {
    return bytes < MEGABYTE ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / MEGABYTE).toFixed(1)} MB`;
  }

  function showRiskPlan() {
    const account = Number(byId("accountSize").value.replace(/[$,]/g, ""));
    const risk = (account * Number(byId("riskPercentage").value)) / 100;
    const reward = Number(byId("riskRewardRatio").value);
    write("plan-account", dollars(account));
    write("plan-risk", dollars(risk));
    write("plan-target", dollars(risk * reward));
    write("plan-break-even", `${Math.round(100 / (1 + reward))}%`);
  }

  function allowEquity() {
    byId("accountEquity").disabled = valueOf("hasAccount") === "no";
  }

  function readAsDataUrl(file) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(file);
    });
  }

  function screenshotProblem(file) {
    if (!file.type.startsWith("image/")) return "That file is not a picture. Please choose a PNG, JPEG or WebP.";
    if (file.size > SCREENSHOT_LIMIT_BYTES) {
      return `That picture is ${sizeText(file.size)}. Please choose one of up to 10 MB.`;
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
    write("screenshot-problem", text);
    byId("screenshot-problem").hidden = !text;
  }

  async function showScreenshot(picked) {
    try {
      const dataUrl = await picked.dataUrl;
      if (screenshot !== picked) return; // another picture was chosen meanwhile
      byId("screenshot-picture").src = dataUrl;
      write("screenshot-name", picked.file.name);
      write("screenshot-size", sizeText(picked.file.size));
      byId("screenshot-drop").hidden = true;
      byId("screenshot-preview").hidden = false;
    } catch {
      if (screenshot !== picked) return;
      removeScreenshot();
      showScreenshotProblem("That picture could not be read. Please choose it again.");
    }
  }

  function pickScreenshot() {
    const file = byId("accountScreenshot").files[0];
    if (!file) return;
    const problem = screenshotProblem(file);
    showScreenshotProblem(problem);
    if (problem) {
      removeScreenshot();
      return;
    }
    screenshot = { file, dataUrl: readAsDataUrl(file) };
    showScreenshot(screenshot);
  }

  async function screenshotFields() {
    if (!screenshot) return {};
    return {
      accountScreenshot: await screenshot.dataUrl,
      screenshotFilename: screenshot.file.name,
      screenshotSize: screenshot.file.size,
      screenshotType: screenshot.file.type,
    };
  }

  function answersFromForm() {
    return {
      user_email: valueOf("email"),
      user_name: valueOf("name"),
      tradesPerDay: valueOf("tradesPerDay"),
      tradingSession: valueOf("tradingSession"),
      cryptoAssets: checkedValues("cryptoAssets"),
      forexAssets: checkedValues("forexAssets"),
      customForexPairs: customPairs(),
      hasAccount: valueOf("hasAccount"),
      accountEquity: valueOf("hasAccount") === "yes" ? valueOf("accountEquity").replace(/,/g, "") : "",
      propFirm: valueOf("propFirm"),
      accountType: valueOf("accountType"),
      accountSize: valueOf("accountSize"),
      riskPercentage: valueOf("riskPercentage"),
      riskRewardRatio: valueOf("riskRewardRatio"),
    };
  }

  function showResult(answers) {
    const result = byId("questionnaire-result");
    const markets = [...answers.cryptoAssets, ...answers.forexAssets, ...answers.customForexPairs];
    write("sent-name", answers.user_name);
    write("sent-session", `${chosenLabel("tradingSession")}, ${answers.tradesPerDay} trades a day`);
    write("sent-markets", markets.join(", ") || "None chosen");
    write("sent-risk", `${answers.riskPercentage}% of ${answers.accountSize}, ${chosenLabel("riskRewardRatio")}`);
    write("sent-screenshot", answers.screenshotFilename || "None");
    byId("sent-picture").hidden = !answers.accountScreenshot;
    if (answers.accountScreenshot) byId("sent-picture").src = answers.accountScreenshot;
    byId("questions").hidden = true;
    result.hidden = false;
    scrollTo(0, 0);
    result.focus({ preventScroll: true });
  }

  function showProblem() {
    const problem = byId("questionnaire-problem");
    problem.textContent = "Your answers could not be saved. Please allow this site to store data in your browser, then try again.";
    problem.hidden = false;
  }

  async function send(event) {
    event.preventDefault();
    byId("submit").disabled = true; // a large picture takes a moment: a second click would send twice
    byId("questionnaire-problem").hidden = true;
    try {
      const answers = { ...answersFromForm(), ...(await screenshotFields()) };
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

  function storedObject(key) {
    try {
      return JSON.parse(localStorage.getItem(key)) || {};
    } catch {
      return {};
    }
  }

  function fillKnownVisitor() {
    const user = storedObject("current_user");
    const payer = storedObject("payment_success_data").userData || {};
    byId("name").value = user.name || payer.fullName || "";
    byId("email").value = user.email || payer.email || "";
  }

  function forgetScreenshot() {
    removeScreenshot();
    byId("accountScreenshot").focus();
  }

  form.addEventListener("submit", send);
  form.addEventListener("input", showRiskPlan);
  byId("hasAccount").addEventListener("change", allowEquity);
  byId("accountScreenshot").addEventListener("change", pickScreenshot);
  byId("screenshot-remove").addEventListener("click", forgetScreenshot);
  byId("again").addEventListener("click", changeAnswers);

  fillKnownVisitor();
  showRiskPlan();
  allowEquity();
})();
