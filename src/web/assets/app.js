// Conveniences for pages that work without them: toasts, uploads in parts, retries, focus.
// No string is evaluated and no inline style is set, because the content security policy forbids both.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

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

  const WORDS = {
    403: "You may not do that.",
    404: "That is no longer there.",
    413: "That is too big.",
    429: "Too many requests at once. Please try again in a moment.",
    502: "No answer came. The change may have been made: look before you send it again.",
    503: "Busy right now. Please try again in a moment.",
    504: "No answer came in time. The change may have been made: look before you send it again.",
  };
  const said = (status) => WORDS[status] || "Something went wrong. Nothing on this page is lost; please try again.";

  // For a request without an answer, the form may have a better message.
  const unanswered = (element, otherwise) => element.closest("[data-unanswered]")?.dataset.unanswered || otherwise;

  document.addEventListener("htmx:responseError", (event) => {
    const xhr = event.detail.xhr;
    if (isPoll(event.detail.elt)) return notLive("Not live: too busy right now. Trying again…");
    if (!/"toast"/.test(xhr.getResponseHeader("HX-Trigger") || "")) toast("error", said(xhr.status));
    retryLater(event.detail.elt);
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (isPoll(event.detail.elt)) return notLive("Not live: no connection. Trying again…");
    toast("error", unanswered(event.detail.elt, "No connection. What you typed is still here; please try again."));
    retryLater(event.detail.elt);
  });
  document.addEventListener("htmx:timeout", (event) => {
    if (isPoll(event.detail.elt)) return notLive("Not live: no answer. Trying again…");
    toast("error", unanswered(event.detail.elt, "The answer takes too long. Please try again."));
    retryLater(event.detail.elt);
  });

  // A raffle's page. It polls every two seconds while it is visible, and at once when it becomes visible again.
  const isPoll = (element) => element.matches("[data-live]");
  let held = false;
  let touched = false;
  const poll = () => {
    // A pressed element is not replaced, because the press would be lost.
    if (!document.hidden && !held) document.querySelector("[data-live]")?.dispatchEvent(new Event("poll"));
  };
  if (document.querySelector("[data-live]")) {
    setInterval(poll, 2000);
    document.addEventListener("visibilitychange", poll);
    window.addEventListener("online", poll);
    const touch = (event) => {
      if (!event.target.closest("[data-live]")) return;
      touched = true;
      held ||= event.type === "keydown" || event.button === 0;
    };
    for (const kind of ["pointerdown", "keydown", "input"]) document.addEventListener(kind, touch, true);
    const release = () => (held = false);
    for (const kind of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(kind, release, true);
    window.addEventListener("blur", release);
  }

  // The page says once, in a line and not in repeated toasts, that it is not live.
  function notLive(words) {
    const line = byId("raffle-lost");
    if (line.textContent !== words) line.textContent = words;
  }

  let unfolded = [];
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isPoll(event.detail.elt)) touched = false;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, requestConfig } = event.detail;
    if (target.id !== "raffle-live") return;
    // If a person started to do something during the poll, its update waits for the next poll.
    if (isPoll(requestConfig.elt) && touched) event.detail.shouldSwap = false;
    unfolded = [...target.querySelectorAll("details[open]")].map((details) => details.id);
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
    for (const id of unfolded) if (byId(id)) byId(id).open = true;
    unfolded = [];
    // A screen reader announces only the end of a raffle, not every ticket.
    if (live.dataset.phase !== phase) byId("raffle-said").textContent = live.dataset.said;
    phase = live.dataset.phase;
  });

  // A 404 with HX-Reswap is a panel for the page ("this lead was deleted"), not a failure.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status === 404 && xhr.getResponseHeader("HX-Reswap")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

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

  // A failed step of an import is retried with growing waits. Its button stays for further attempts.
  let failures = 0;
  function retryLater(element) {
    const form = element.closest("[data-retry]");
    if (!form || failures >= 6) return;
    failures += 1;
    setTimeout(() => form.isConnected && form.requestSubmit(), 1000 * 2 ** failures);
  }

  // The list: no empty parameters in the URL, no sort order for searches, the number of results announced.
  let asked = { query: "", at: 0 };
  document.addEventListener("htmx:confirm", (event) => {
    const form = event.detail.elt.closest("[data-search]");
    if (!form) return;
    // Enter right after typing, or the key events of a paste, repeat the same request; the first answer is under way.
    const query = new URLSearchParams(new FormData(form)).toString();
    if (query === asked.query && Date.now() - asked.at < 1000) return event.preventDefault();
    asked = { query, at: Date.now() };
  });
  // A list filters by status or by stock. Choosing one resets the other before htmx sends the request.
  document.addEventListener(
    "change",
    (event) => {
      const other = { status: "stock", stock: "status" }[event.target.id];
      if (other && byId(other) && event.target.value) byId(other).value = "";
    },
    true,
  );
  document.addEventListener("htmx:configRequest", (event) => {
    if (!event.detail.elt.closest("[data-search]")) return;
    const data = event.detail.formData;
    for (const [name, value] of [...data]) if (value === "") data.delete(name);
    if (byId("sort")) byId("sort").disabled = byId("q").value.trim() !== "";
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.xhr && event.detail.xhr.status < 400) failures = 0;
    const rows = document.querySelector("[data-rows]");
    const words = rows?.querySelector("[data-count]");
    const region = document.querySelector("[data-shown]");
    if (!words || !region) return;
    // A search that loaded more rows knows only the number of the last page; the table has all rows.
    const count = rows.querySelectorAll("[data-lead], [data-row]").length;
    if (count) words.textContent = `${count} ${count === 1 ? rows.dataset.one : rows.dataset.many} shown`;
    if (region.textContent !== words.textContent) region.textContent = words.textContent;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("[data-menu][open]");
      const editing = event.target.closest("tr.editing, #lead");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      } else if (editing) editing.querySelector("[data-cancels]")?.click();
    }
    // "/" moves to the search field, as on other sites.
    if (event.key === "/" && !event.target.closest("input, select, textarea") && byId("q")) {
      event.preventDefault();
      byId("q").select();
    }
  });

  document.addEventListener("click", (event) => {
    const menu = document.querySelector("[data-menu][open]");
    if (menu && !menu.contains(event.target)) menu.open = false;

    const copy = event.target.closest("[data-copy]");
    if (!copy) return;
    const source = byId(copy.dataset.copy);
    source.select();
    // Only a secure page can use the clipboard. Elsewhere the text is selected, so that it can be copied by hand.
    navigator.clipboard?.writeText(source.value).then(
      () => toast("success", "Copied."),
      () => toast("info", "Selected: copy it with the keyboard."),
    );
  });

  // An ordinary form is sent once, even if its button is pressed several times.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.ariaBusy === "true") return event.preventDefault();
    setBusy(form, true);
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[aria-busy]")) setBusy(form, false);
  });
  function setBusy(form, busy) {
    if (busy) form.ariaBusy = "true";
    else form.removeAttribute("aria-busy");
    for (const button of form.querySelectorAll("[type=submit]")) button.disabled = busy;
  }

  // Whether a form has input that was not sent, or that the server rejected. Such input is never discarded.
  function hasEdits(form) {
    if (form.getAttribute("method")?.toLowerCase() !== "post") return false;
    if (form.closest(".conflict") || form.querySelector("[aria-invalid=true], .error")) return true;
    return [...form.elements].some((control) => {
      // After a rejection the form contains the rejected input; a `base.` field has the original value.
      const base = form.elements.namedItem(`base.${control.name}`);
      if (base && base !== control && base.value !== control.value) return true;
      if (control.type === "hidden") return false;
      if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
      if (control.localName === "select") {
        const begun = [...control.options].findIndex((option) => option.defaultSelected);
        return control.selectedIndex !== Math.max(begun, 0);
      }
      return "defaultValue" in control && control.value !== control.defaultValue;
    });
  }

  // Going back or forward may show a cached page. Its content is loaded again.
  const BEGUN_ONCE = "[data-find-state], form[data-export], form[data-upload], form[data-verify], [data-retry]";
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted || [...document.forms].some(hasEdits)) return;
    // These parts are initialized only when a page loads.
    if (document.querySelector(BEGUN_ONCE)) return location.reload();
    htmx.ajax("GET", location.pathname + location.search, {
      target: "#content",
      select: "#content",
      swap: "outerHTML show:none",
      // Request the whole page, as htmx does to restore history.
      headers: { "HX-History-Restore-Request": "true" },
    });
  });

  // States of a new order: typing filters them, Enter selects the first match.
  function findState(input) {
    const choices = [...input.closest("[data-states]").querySelectorAll("[data-name]")];
    const matching = () => {
      const typed = input.value.trim().toLowerCase();
      const fits = (choice) => choice.dataset.name.split(" ").some((word) => word.startsWith(typed)) || choice.dataset.name.includes(typed);
      const first = choices.filter((choice) => choice.dataset.name.split(" ")[0] === typed);
      return [...first, ...choices.filter((choice) => !first.includes(choice) && fits(choice))];
    };
    input.addEventListener("input", () => {
      const left = new Set(matching());
      for (const choice of choices) choice.hidden = !left.has(choice);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const [choice] = input.value.trim() ? matching() : [];
      if (!choice) return;
      choice.querySelector("input").click();
      input.value = "";
      for (const other of choices) other.hidden = false;
    });
    // This input is not a field of the order, so its events must not reach the form.
    for (const kind of ["change", "search"]) input.addEventListener(kind, (event) => event.stopPropagation());
  }
  document.querySelectorAll("[data-find-state]").forEach(findState);

  // An export of any size: loads all its parts in order and saves them as one file.
  document.querySelectorAll("form[data-export]").forEach((form) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.ariaBusy === "true") return;
      setBusy(form, true);
      const progress = form.querySelector("[data-progress]");
      // A byte order mark, because Excel does not read UTF-8 without it.
      const parts = ["\ufeff"];
      try {
        const days = [...new FormData(form)].filter(([, value]) => value !== "");
        for (let cursor = ""; cursor !== null; ) {
          const query = new URLSearchParams(cursor ? [...days, ["cursor", cursor]] : days);
          const answer = await persist("GET", `${form.dataset.export}?${query}`);
          parts.push(await answer.blob());
          cursor = answer.headers.get("X-Next-Cursor");
          if (cursor) progress.textContent = `${parts.length - 1} parts read…`;
        }
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
        link.download = form.dataset.file;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60000);
        progress.textContent = "Done.";
      } catch (error) {
        progress.textContent = "";
        toast("error", error instanceof TypeError ? "No connection. Please try again." : error.message);
      }
      setBusy(form, false);
    });
  });

  // Uploads in parts: each part is a small request, so neither a size limit nor a bad connection ends the upload.
  async function send(method, url, body) {
    const headers = { Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/octet-stream";
    const answer = await fetch(url, { method, body, headers });
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.detail || problem.title || said(answer.status));
    error.isFinal = answer.status < 500 && answer.status !== 429;
    throw error;
  }

  async function persist(method, url, body) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await send(method, url, body);
      } catch (error) {
        if (error.isFinal || attempt === 4) throw error;
        await wait(500 * 2 ** attempt);
      }
    }
  }

  function upload(form) {
    const input = form.querySelector("input[type=file]");
    const bar = form.querySelector("progress");
    const button = form.querySelector("button[type=submit]");
    const label = button.textContent;
    let file = null;
    let place = null;
    let next = 0;

    async function run() {
      // A different file starts a new upload; the same file continues with the part that failed.
      if (input.files[0] !== file) [file, place, next] = [input.files[0], null, 0];
      if (!place) {
        const query = new URLSearchParams({ name: file.name, size: file.size });
        place = await (await persist("POST", `${form.action}?${query}`)).json();
      }
      const url = `${form.action}/${encodeURIComponent(place.id)}`;
      for (; next * place.partSize < file.size; next += 1) {
        const part = file.slice(next * place.partSize, (next + 1) * place.partSize);
        await persist("PUT", `${url}/parts/${next}`, part);
        bar.value = Math.min(1, ((next + 1) * place.partSize) / file.size);
      }
      window.location = url;
    }

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.ariaBusy === "true" || !input.files.length) return;
      form.ariaBusy = "true";
      button.disabled = true;
      try {
        await run();
      } catch (error) {
        const lost = error instanceof TypeError;
        toast("error", lost ? "No connection. The upload goes on where it stopped when you try again." : error.message);
        if (error.isFinal) place = file = null;
        form.removeAttribute("aria-busy");
        button.textContent = place ? "Try again" : label;
        button.disabled = false;
      }
    });
    window.addEventListener("pageshow", () => {
      button.disabled = false;
      bar.value = 0;
    });
  }

  document.querySelectorAll("form[data-upload]").forEach(upload);

  // Verifies the proof of a draw in the browser. The page and src/raffles/domain/fair.rs describe the method.
  const METHOD = "holdfast-raffle-1";
  const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const bytesOf = (text) => {
    if (!/^[0-9a-f]{64}$/i.test(text)) throw new Error("it must have 64 hexadecimal digits");
    return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
  };
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

  // Returns the index of the winner among n, from seed and hash, and the number of hashes that this needed.
  async function placeOf(seed, listHash, n) {
    const kept = n > 1 ? (n - 1).toString(2).length : 0;
    for (let counter = 0; counter < 2 ** 32; counter += 1) {
      const input = new Uint8Array(68);
      input.set(seed, 0);
      input.set(listHash, 32);
      new DataView(input.buffer).setUint32(64, counter);
      const first = new DataView((await sha256(input)).buffer).getBigUint64(0);
      const x = first & ((1n << BigInt(kept)) - 1n);
      if (x < BigInt(n)) return { kept, counter, place: Number(x) };
    }
    throw new Error("no number was found");
  }

  // Each step returns what it verified, or throws an error with what is wrong.
  const STEPS = [
    ["It is a proof that this page can check", async (proof) => {
      if (proof.method !== METHOD) throw new Error(`Its method is ${JSON.stringify(proof.method)}, and this page checks ${METHOD}.`);
      return `The method is ${METHOD}.`;
    }],
    ["The winner is drawn", async (proof) => {
      if (proof.status !== "CLOSED") throw new Error("The raffle is not drawn yet, so there is nothing to check but the commitment.");
      return `${proof.title}, drawn ${proof.drawnAt}.`;
    }],
    ["The seed is the one that was committed to", async (proof) => {
      const hash = hex(await sha256(bytesOf(proof.seed)));
      if (hash !== String(proof.commitment).toLowerCase()) throw new Error(`The SHA-256 of the seed is ${hash}, and the commitment ${proof.commitment}.`);
      return `Its SHA-256 is ${hash}. Compare it with what the raffle's page showed before the draw.`;
    }],
    ["The sold numbers are in order", async ({ sold }) => {
      if (!Array.isArray(sold) || sold.length === 0) throw new Error("No ticket is in the list.");
      const wrong = sold.findIndex((number, at) => !Number.isInteger(number) || number < 1 || number > 100000 || (at > 0 && number <= sold[at - 1]));
      if (wrong >= 0) throw new Error(`They must be whole numbers that ascend, and ${JSON.stringify(sold[wrong])} does not stand in its place.`);
      return `${sold.length} ${sold.length === 1 ? "number" : "numbers"}, ascending.`;
    }],
    ["The list of sold numbers is the one that was hashed", async (proof) => {
      const list = new TextEncoder().encode(proof.sold.map((number) => `${number}\n`).join(""));
      const hash = hex(await sha256(list));
      if (hash !== String(proof.listHash).toLowerCase()) throw new Error(`The SHA-256 of the list is ${hash}, and the proof names ${proof.listHash}.`);
      return `Its SHA-256 is ${hash}.`;
    }],
    ["The seed and the list give the winner", async (proof) => {
      if (!Array.isArray(proof.sold) || proof.sold.length === 0) throw new Error("Without tickets there is no winner.");
      const n = proof.sold.length;
      const { kept, counter, place } = await placeOf(bytesOf(proof.seed), bytesOf(proof.listHash), n);
      const winner = proof.sold[place];
      const how = `n = ${n}, k = ${kept}, x = ${place} at c = ${counter}: ticket ${winner}`;
      if (winner !== proof.winner) throw new Error(`${how}, and the proof names ${JSON.stringify(proof.winner)}.`);
      return `${how}.`;
    }],
  ];

  async function verify(text) {
    const [verdict, steps] = [byId("verdict"), byId("verify-steps")];
    const conclude = (good, words) => {
      const box = document.createElement("div");
      box.className = `notice ${good ? "good" : "bad"}`;
      const said = document.createElement("p");
      said.textContent = words;
      box.append(said);
      verdict.replaceChildren(box);
    };
    steps.replaceChildren();
    if (!globalThis.crypto?.subtle) {
      return conclude(false, "This browser computes hashes only on pages that come over https, or from this computer. Check the file with: holdfast raffle verify FILE");
    }
    let proof = null;
    try {
      proof = JSON.parse(text);
    } catch {
      // The check below reports it.
    }
    if (proof === null || typeof proof !== "object" || Array.isArray(proof)) {
      return conclude(false, "This is no proof: a proof is a JSON object, as a raffle's page gives it.");
    }
    let failed = 0;
    for (const [name, check] of STEPS) {
      const item = document.createElement("li");
      const [title, words] = [document.createElement("strong"), document.createElement("span")];
      try {
        words.textContent = await check(proof);
        item.className = "passed";
      } catch (error) {
        words.textContent = error instanceof TypeError ? "Something that it needs is missing." : error.message;
        item.className = "wrong";
        failed += 1;
      }
      title.textContent = `${name}: ${item.className === "passed" ? "passed" : "failed"}`;
      item.append(title, words);
      steps.append(item);
    }
    conclude(failed === 0, failed === 0 ? `The proof holds: ticket ${proof.winner} won.` : `The proof does not hold: ${failed} of ${STEPS.length} checks failed.`);
  }

  document.querySelectorAll("form[data-verify]").forEach(async (form) => {
    const input = form.querySelector("input[type=file]");
    form.addEventListener("submit", (event) => event.preventDefault());
    input.addEventListener("change", async () => input.files[0] && verify(await input.files[0].text()));
    if (!form.dataset.proof) return;
    try {
      verify(await (await persist("GET", form.dataset.proof)).text());
    } catch (error) {
      toast("error", error instanceof TypeError ? "No connection. Download the proof and choose it here." : error.message);
    }
  });
})();
