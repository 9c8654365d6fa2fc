// The focus is never lost, and the page does not jump. The element that had the focus when a request started gets it
// back if it still exists, because a disabled button loses it. If the answer replaced the element and sets no focus,
// one of these gets it: the first new entry, if the answer continues a list; the same control in the new content; the
// first link or field of the row, item or part where the focus was; and if a row or item is gone too, its neighbor's.
const CONTROLS = "a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled, textarea:enabled, summary";
const holders = new WeakMap();
const isLost = (element) => !element || element === document.body;
const controls = (within) => [...within.querySelectorAll(CONTROLS)].filter((control) => control.checkVisibility());
// A second Enter, pressed too early, must not delete or restore something else.
const harmless = (within) => controls(within).find((control) => !control.matches("button"));
const nameOf = (control) =>
  [control.tagName, control.name, control.getAttribute("form"), control.ariaLabel || control.textContent.trim()].join();

// The ids of the parts of the page around an element, from inside to outside, with those of neighboring items.
function idsAround(element) {
  const ids = [];
  for (let part = element.parentElement; part; part = part.parentElement) {
    const neighbors = part.matches("li, tr") ? [part.nextElementSibling, part.previousElementSibling] : [];
    for (const one of [part, ...neighbors]) if (one?.id) ids.push(one.id);
  }
  return ids;
}

function focusOn(element) {
  if (!element.matches(CONTROLS)) element.tabIndex = -1;
  element.focus({ preventScroll: true });
  if (element.id !== "content") element.scrollIntoView({ block: "nearest" });
}

function replacement({ name, ids, before, list }, target) {
  if (target.isConnected) return harmless(target);
  if (!target.id && list?.isConnected) {
    const first = before ? before.nextElementSibling : list.firstElementChild;
    return first && (harmless(first) || first);
  }
  const parts = ids.filter((id) => id !== "content").map(byId);
  const same = parts[0] && controls(parts[0]).find((control) => nameOf(control) === name);
  return same || parts.map((part) => part && harmless(part)).find(Boolean);
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const holder = document.activeElement;
  if (isLost(holder)) return;
  holders.set(event.detail.xhr, { holder, name: nameOf(holder), ids: idsAround(holder) });
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  const held = holders.get(xhr);
  if (held) Object.assign(held, { before: target.previousElementSibling, list: target.parentElement });
});
document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, target } = event.detail;
  const held = holders.get(xhr);
  if (!held || !isLost(document.activeElement)) return;
  const { holder } = held;
  if (holder.isConnected && !holder.disabled) return holder.focus({ preventScroll: true });
  const same = holder.id && byId(holder.id);
  if (same && !same.disabled && same.type !== "hidden") return same.focus({ preventScroll: true });
  // The result that replaces a button that cannot be pressed any more.
  const result = (target.isConnected ? target : byId(target.id))?.querySelector("[data-result]:not(:empty)");
  focusOn(result || replacement(held, target) || byId("content"));
});
