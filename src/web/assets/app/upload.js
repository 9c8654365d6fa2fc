// Uploads in parts: each part is a small request, so neither a size limit nor a bad connection ends the upload.
function upload(form) {
  const input = form.querySelector("input[type=file]");
  const bar = form.querySelector("progress");
  const button = form.querySelector("button[type=submit]");
  const label = button.textContent;
  let file = null;
  let target = null;
  let next = 0;

  async function run() {
    // A different file starts a new upload; the same file continues with the part that failed.
    if (input.files[0] !== file) [file, target, next] = [input.files[0], null, 0];
    if (!target) {
      const query = new URLSearchParams({ name: file.name, size: file.size });
      target = await (await persist("POST", `${form.action}?${query}`)).json();
    }
    const url = `${form.action}/${encodeURIComponent(target.id)}`;
    for (; next * target.partSize < file.size; next += 1) {
      const part = file.slice(next * target.partSize, (next + 1) * target.partSize);
      await persist("PUT", `${url}/parts/${next}`, part);
      bar.value = Math.min(1, ((next + 1) * target.partSize) / file.size);
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
      if (!error.isCanceled) toast("error", lost ? "No connection. Try again to continue the upload." : error.message);
      if (error.isFinal) target = file = null;
      form.removeAttribute("aria-busy");
      button.textContent = target ? "Try again" : label;
      button.disabled = false;
    }
  });
  window.addEventListener("pageshow", () => {
    button.disabled = false;
    bar.value = 0;
  });
}

document.querySelectorAll("form[data-upload]").forEach(upload);
