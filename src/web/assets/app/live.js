// A raffle's page. It polls every two seconds while it is visible, and at once when it becomes visible again.
const isPoll = (element) => element.matches("[data-live]");
let pressed = false;
let touched = false;
const poll = () => {
  // A pressed element is not replaced, because the press would be lost.
  if (!document.hidden && !pressed) document.querySelector("[data-live]")?.dispatchEvent(new Event("poll"));
};
if (document.querySelector("[data-live]")) {
  setInterval(poll, 2000);
  document.addEventListener("visibilitychange", poll);
  window.addEventListener("online", poll);
  const touch = (event) => {
    if (!event.target.closest("[data-live]")) return;
    touched = true;
    pressed ||= event.type === "keydown" || event.button === 0;
  };
  for (const kind of ["pointerdown", "keydown", "input"]) document.addEventListener(kind, touch, true);
  const release = () => (pressed = false);
  for (const kind of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(kind, release, true);
  window.addEventListener("blur", release);
}

// The page says once, in a line and not in repeated toasts, that it is not live.
function notLive(words) {
  const line = byId("raffle-lost");
  if (line.textContent !== words) line.textContent = words;
}

let openDetails = [];
document.addEventListener("htmx:beforeRequest", (event) => {
  if (isPoll(event.detail.elt)) touched = false;
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, requestConfig } = event.detail;
  if (target.id !== "raffle-live") return;
  // If a person started to do something during the poll, its update waits for the next poll.
  if (isPoll(requestConfig.elt) && touched) event.detail.shouldSwap = false;
  openDetails = [...target.querySelectorAll("details[open]")].map((details) => details.id);
});
document.addEventListener("htmx:afterRequest", (event) => {
  const { requestConfig, successful, xhr } = event.detail;
  const { elt } = requestConfig;
  if (isPoll(elt) && successful) byId("raffle-lost").textContent = "";
  // After an answer the outcome is known, so the toast about a missing answer is removed.
  if (!elt.dataset.unanswered || !xhr.status) return;
  for (const old of [...byId("toast-alert").children]) {
    if (old.firstChild.textContent === elt.dataset.unanswered) old.remove();
  }
});
let phase = byId("raffle-live")?.dataset.phase;
document.addEventListener("htmx:afterSwap", (event) => {
  const live = byId("raffle-live");
  if (!live || event.detail.target.id !== "raffle-live") return;
  for (const id of openDetails) if (byId(id)) byId(id).open = true;
  openDetails = [];
  // A screen reader announces only the end of a raffle, not every ticket.
  if (live.dataset.phase !== phase) byId("raffle-status").textContent = live.dataset.status;
  phase = live.dataset.phase;
});
