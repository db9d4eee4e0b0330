/*
  Applies the theme that was chosen on the dashboard. Loaded before the body, so that the page is
  never painted in the other theme.
*/

(function () {
  "use strict";
  try {
    const theme = localStorage.getItem("selected_theme");
    if (theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage, the dark theme is used.
  }
})();
