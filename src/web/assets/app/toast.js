// Toasts. The server triggers one with the header HX-Trigger: {"toast":{"kind":"success","text":"…"}}.
// Errors stay until a person closes them. Other toasts disappear on their own, but not under the pointer or focus.
function toast(kind, text) {
  const region = byId(kind === "error" ? "toast-alert" : "toast-status");
  if (!region || !text) return;
  for (const old of region.children) if (old.firstChild.textContent === text) old.remove();
  const box = document.createElement("div");
  box.className = `toast ${kind === "error" || kind === "success" ? kind : "info"}`;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.ariaLabel = "Close this message";
  close.textContent = "×";
  close.addEventListener("click", () => box.remove());
  box.append(words, close);
  region.append(box);
  while (region.children.length > 3) region.firstChild.remove();
  if (kind === "error") return;
  const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : box.remove());
  setTimeout(leave, 6000);
}

document.addEventListener("toast", (event) => toast(event.detail.kind, event.detail.text));

// A toast from before a redirect is in a cookie.
const left = document.cookie.match(/(?:^|; )holdfast-toast=([^;]+)/);
if (left) {
  document.cookie = "holdfast-toast=; Max-Age=0; Path=/; SameSite=Lax";
  try {
    const { kind, text } = JSON.parse(decodeURIComponent(left[1]));
    toast(kind, text);
  } catch {
    // Another application on this host set a cookie of this name.
  }
}
