// Failed requests of htmx: their messages, and the retries of an import.

const MESSAGES = {
  401: "You're signed out.",
  403: "You don't have access to this.",
  404: "This no longer exists.",
  410: "This was deleted.",
  413: "This is too large.",
  429: "Too many requests. Try again in a moment.",
  502: "No answer. The change may have been saved; check before you try again.",
  503: "Too busy right now. Try again in a moment.",
  504: "No answer in time. The change may have been saved; check before you try again.",
};
const messageFor = (status) => MESSAGES[status] || "Something went wrong. What you typed is still here; try again.";

// For a request without an answer, the form may have a better message.
const unanswered = (element, otherwise) => element.closest("[data-unanswered]")?.dataset.unanswered || otherwise;

document.addEventListener("htmx:responseError", (event) => {
  const xhr = event.detail.xhr;
  if (isPoll(event.detail.elt)) {
    const signedOut = "You're signed out. Reload the page to sign in.";
    return notLive(xhr.status === 401 ? signedOut : "Reconnecting…");
  }
  if (!/"toast"/.test(xhr.getResponseHeader("HX-Trigger") || "")) toast("error", messageFor(xhr.status));
  retryLater(event.detail.elt);
});
document.addEventListener("htmx:sendError", (event) => {
  if (isPoll(event.detail.elt)) return notLive("Reconnecting…");
  toast("error", unanswered(event.detail.elt, "No connection. What you typed is still here; try again."));
  retryLater(event.detail.elt);
});
document.addEventListener("htmx:timeout", (event) => {
  if (isPoll(event.detail.elt)) return notLive("Reconnecting…");
  toast("error", unanswered(event.detail.elt, "No answer in time. Try again."));
  retryLater(event.detail.elt);
});

// A 404 or 410 with HX-Reswap is a panel for the page ("this lead was deleted"), not a failure.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig, xhr } = event.detail;
  if (xhr.status === 401 && dialog && !isPoll(requestConfig.elt)) {
    event.detail.isError = false;
    sendAfterSignIn(event.detail);
  }
  if ([404, 410].includes(xhr.status) && xhr.getResponseHeader("HX-Reswap")) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// A failed step of an import is retried with growing waits. Its button stays for further attempts.
let failures = 0;
function retryLater(element) {
  const form = element.closest("[data-retry]");
  if (!form || failures >= 6) return;
  failures += 1;
  setTimeout(() => form.isConnected && form.requestSubmit(), 1000 * 2 ** failures);
}
