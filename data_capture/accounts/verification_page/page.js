"use strict";
// The page that a link in a mail opens. The token is in the URL's fragment, which is not sent to any
// server. Nothing happens before a password is set, because mail scanners open links, too.
(() => {
  const LABELS = {
    full_name: "Name", username: "User name", company: "Company",
    phone: "Phone", country: "Country", plan_type: "Plan",
  };
  const element = (id) => document.getElementById(id);
  const form = element("form"), password = element("password"), repeated = element("repeated");

  const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
  history.replaceState(null, "", location.pathname);  // keeps the token out of the history

  // What the token says, for display only; the service checks it.
  function claimsOf(text) {
    try {
      const middle = text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
      return JSON.parse(atob(middle)) || {};
    } catch {
      return {};
    }
  }

  function show(problem) {
    element("problem").textContent = problem;
    element("problem").hidden = !problem;
  }

  function showDetails(details) {
    for (const [name, label] of Object.entries(LABELS)) {
      if (!details || !details[name]) continue;
      const term = document.createElement("dt"), value = document.createElement("dd");
      term.textContent = label;
      value.textContent = details[name];
      element("details").append(term, value);
      element("details").hidden = false;
    }
  }

  async function save() {
    const response = await fetch("api/auth/verify", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "omit",
      body: JSON.stringify({
        token, password: password.value, consent_accepted: element("consent").checked,
      }),
    });
    if (response.ok) return "";
    const problem = await response.json().catch(() => ({}));
    return problem.detail || "The service can't do this now. Try again in a minute.";
  }

  element("shown").addEventListener("change", (event) => {
    const type = event.target.checked ? "text" : "password";
    for (const field of [password, repeated]) field.type = type;
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (password.value !== repeated.value) {
      show("The two passwords are not the same.");
      repeated.focus();
      return;
    }
    element("save").disabled = true;
    show("");
    let problem;
    try {
      problem = await save();
    } catch {
      problem = "The service can't be reached. Try again in a minute.";
    }
    element("save").disabled = false;
    show(problem);
    if (problem) return;
    form.reset();
    form.hidden = true;
    element("done").hidden = false;
  });

  const claims = claimsOf(token);
  if (!claims.sub) {
    show("This page needs the whole link from the mail. Open the link again.");
    return;
  }
  element("email").value = claims.sub;
  showDetails(claims.details);
  // Whoever sent the sign-up may have been a stranger, so that the box is not ticked.
  element("terms").hidden = !claims.details?.consent_accepted;
  form.hidden = false;
  password.focus();
})();
