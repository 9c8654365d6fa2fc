// Going back or forward may show a cached page. Its content is loaded again.
const INITIALIZED_ONCE = "[data-find-state], form[data-export], form[data-upload], form[data-verify], [data-retry]";
window.addEventListener("pageshow", (event) => {
  if (!event.persisted || [...document.forms].some(hasEdits)) return;
  // These parts are initialized only when a page loads.
  if (document.querySelector(INITIALIZED_ONCE)) return location.reload();
  htmx.ajax("GET", location.pathname + location.search, {
    target: "#content",
    select: "#content",
    swap: "outerHTML show:none",
    // Request the whole page, as htmx does to restore history.
    headers: { "HX-History-Restore-Request": "true" },
  });
});
