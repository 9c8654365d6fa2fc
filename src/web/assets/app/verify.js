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
  ["This page can check the proof", async (proof) => {
    if (proof.method !== METHOD) throw new Error(`Its method is ${JSON.stringify(proof.method)}, but this page checks ${METHOD}.`);
    return `The method is ${METHOD}.`;
  }],
  ["The winner is drawn", async (proof) => {
    if (proof.status !== "CLOSED") throw new Error("The raffle isn't drawn yet, so only the commitment can be checked.");
    return `${isolated(String(proof.title))}, drawn ${proof.drawnAt}.`;
  }],
  ["The seed matches the commitment", async (proof) => {
    const hash = hex(await sha256(bytesOf(proof.seed)));
    if (hash !== String(proof.commitment).toLowerCase()) throw new Error(`The SHA-256 of the seed is ${hash}, but the commitment is ${proof.commitment}.`);
    return `Its SHA-256 is ${hash}. Compare it with what the raffle's page showed before the draw.`;
  }],
  ["Ticket numbers are in order", async ({ sold }) => {
    if (!Array.isArray(sold) || sold.length === 0) throw new Error("The list has no tickets.");
    const wrong = sold.findIndex((number, at) => !Number.isInteger(number) || number < 1 || number > 100000 || (at > 0 && number <= sold[at - 1]));
    if (wrong >= 0) throw new Error(`They must be whole numbers in ascending order, but ${JSON.stringify(sold[wrong])} is out of order.`);
    return `${sold.length} ${sold.length === 1 ? "number" : "numbers"}, ascending.`;
  }],
  ["The list of sold tickets matches its hash", async (proof) => {
    const list = new TextEncoder().encode(proof.sold.map((number) => `${number}\n`).join(""));
    const hash = hex(await sha256(list));
    if (hash !== String(proof.listHash).toLowerCase()) throw new Error(`The SHA-256 of the list is ${hash}, but the proof says ${proof.listHash}.`);
    return `Its SHA-256 is ${hash}.`;
  }],
  ["The seed and the list give the winner", async (proof) => {
    if (!Array.isArray(proof.sold) || proof.sold.length === 0) throw new Error("There's no winner without tickets.");
    const n = proof.sold.length;
    const { kept, counter, place } = await placeOf(bytesOf(proof.seed), bytesOf(proof.listHash), n);
    const winner = proof.sold[place];
    const how = `n = ${n}, k = ${kept}, x = ${place} at c = ${counter}: ticket ${winner}`;
    if (winner !== proof.winner) throw new Error(`${how}, but the proof says ${JSON.stringify(proof.winner)}.`);
    return `${how}.`;
  }],
];

async function verify(text) {
  const [verdict, steps] = [byId("verdict"), byId("verify-steps")];
  const conclude = (good, words) => {
    const box = document.createElement("div");
    box.className = `notice ${good ? "good" : "bad"}`;
    const paragraph = document.createElement("p");
    paragraph.textContent = words;
    box.append(paragraph);
    verdict.replaceChildren(box);
  };
  steps.replaceChildren();
  if (!globalThis.crypto?.subtle) {
    return conclude(false, "This browser computes hashes only over https or on this computer. Check the file with: holdfast raffle verify FILE");
  }
  let proof = null;
  try {
    proof = JSON.parse(text);
  } catch {
    // The check below reports it.
  }
  if (proof === null || typeof proof !== "object" || Array.isArray(proof)) {
    return conclude(false, "This isn't a proof. Choose the JSON file from the raffle's page.");
  }
  let failed = 0;
  for (const [name, check] of STEPS) {
    const item = document.createElement("li");
    const [title, words] = [document.createElement("strong"), document.createElement("span")];
    try {
      words.textContent = await check(proof);
      item.className = "passed";
    } catch (error) {
      words.textContent = error instanceof TypeError ? "The proof lacks a value." : error.message;
      item.className = "wrong";
      failed += 1;
    }
    title.textContent = `${name}: ${item.className === "passed" ? "passed" : "failed"}`;
    item.append(title, words);
    steps.append(item);
  }
  conclude(failed === 0, failed === 0 ? `The proof holds: ticket ${proof.winner} won.` : `The proof doesn't hold: ${failed} of ${STEPS.length} checks failed.`);
}

document.querySelectorAll("form[data-verify]").forEach(async (form) => {
  const input = form.querySelector("input[type=file]");
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("change", async () => input.files[0] && verify(await input.files[0].text()));
  if (!form.dataset.proof) return;
  try {
    verify(await (await persist("GET", form.dataset.proof)).text());
  } catch (error) {
    toast("error", error instanceof TypeError ? "No connection. Download proof and choose it here." : error.message);
  }
});
