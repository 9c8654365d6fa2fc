// The theme. The server writes the one of the cookie into each page. The script changes an open page without loading
// it again, and a page from before the change when it is shown again.

const SCHEMES = { system: "light dark", light: "light", dark: "dark" };

function applyTheme(theme) {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  document.querySelector("meta[name=color-scheme]").content = SCHEMES[theme];
  for (const button of document.querySelectorAll("[data-theme-form] [name=theme]")) {
    button.setAttribute("aria-pressed", button.value === theme);
  }
}

const savedTheme = () => document.cookie.match(/(?:^|; )holdfast-theme=(light|dark)(?:;|$)/)?.[1] || "system";
window.addEventListener("pageshow", () => applyTheme(savedTheme()));
document.addEventListener("visibilitychange", () => applyTheme(savedTheme()));

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-form]")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const before = savedTheme();
  applyTheme(body.get("theme"));
  const options = { method: "POST", body, headers: { "HX-Request": "true" }, keepalive: true };
  const answer = await fetch(form.action, options).catch(() => null);
  if (answer?.ok) return;
  applyTheme(before);
  toast("error", "The theme was not saved. Try again.");
});
