/* The theme chosen on the dashboard, on every page. Loaded before the body, so that nothing is painted in the other one. */

(function () {
  "use strict";
  try {
    if (localStorage.getItem("selected_theme") === "light") document.documentElement.dataset.theme = "light";
  } catch {
    // Without storage no theme was chosen: the dark one stays.
  }
})();
