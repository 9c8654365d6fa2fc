// The focus is never lost. The element that had it when a request started gets it back if it still exists, because
// a disabled button loses it. If the answer replaced the element and sets no focus, its replacement gets the focus.
const holders = new WeakMap();
const isLost = (element) => !element || element === document.body;
document.addEventListener("htmx:beforeRequest", (event) => holders.set(event.detail.xhr, document.activeElement));
document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, target } = event.detail;
  const holder = holders.get(xhr);
  if (isLost(holder) || !isLost(document.activeElement)) return;
  if (holder.isConnected && !holder.disabled) return holder.focus({ preventScroll: true });
  // The element with the same id, or the result that replaces a button that cannot be pressed any more.
  const same = holder.id && byId(holder.id);
  if (same && !same.disabled && same.type !== "hidden") return same.focus({ preventScroll: true });
  const now = target.isConnected ? target : byId(target.id);
  const inside =
    now?.querySelector("[data-result]:not(:empty)") ||
    now?.querySelector("a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled");
  (inside || byId("content")).focus({ preventScroll: true });
});
