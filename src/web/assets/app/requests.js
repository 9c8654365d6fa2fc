// Requests of this script itself. A request without a final answer is repeated up to three times, with growing waits.

async function send(method, url, body) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/octet-stream";
  const answer = await fetch(url, { method, body, headers });
  if (answer.status === 401 && dialog) {
    if (await signInAgain()) return send(method, url, body);
    throw Object.assign(new Error(messageFor(401)), { isCanceled: true });
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const error = new Error(problem.detail || problem.title || messageFor(answer.status));
  error.isFinal = answer.status < 500 && answer.status !== 429;
  throw error;
}

async function persist(method, url, body) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send(method, url, body);
    } catch (error) {
      if (error.isFinal || error.isCanceled || attempt === 4) throw error;
      await wait(500 * 2 ** attempt);
    }
  }
}
