// The focus is never lost. The element that had it when a request started gets it back if it still exists, because
// a disabled button loses it. If the answer replaced the element and sets no focus, its replacement gets the focus.
const holders = new WeakMap();
const isLost = (element) => !element || element === document.body;
document.addEventListener("htmx:beforeRequest", (event) => holders.set(event.detail.xhr, document.activeElement));
document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, target } = event.detail;
  const holder = holders.get(xhr);
  if (isLost(holder) || !isLost(document.activeElement)) return;
  if (holder.isConnected) return holder.focus();
  const inside = target.isConnected && target.querySelector("a[href], button, input:not([type=hidden]), select");
  (inside || byId("content")).focus({ preventScroll: true });
});
