// Verifies a proof bundle in this browser, with nothing but WebCrypto: SHA-256 and Ed25519. The steps and their order are
// those of `ledgix verify`; what is hashed and signed is said in the ledger's formats. It trusts nothing that the server
// says about itself. What it can't decide alone is whose log it is: that takes the key that its owner gave you.

export class Failed extends Error {}

const EVENT_DOMAIN = "ledgix.audit.event.v1\0";
const CHECKPOINT_DOMAIN = "ledgix.audit.checkpoint.v1\0";
const MIDPOINTS = { extra_high: 0.95, high: 0.85, medium: 0.6, low: 0.2, none: 0 };
const PAYLOAD_MEMBERS = ["accepted_at", "agent_id", "approved", "citations", "confidence", "event_uuid", "evidence_chunks",
  "intent_hash", "policy_id", "reason", "request_id", "tool_args", "tool_name"];
const DERIVED_MEMBERS = ["kind", "request_id", "agent_id", "policy_id", "policy_version_id", "policy_content_hash", "tool_name",
  "tool_args", "action_category", "action_metadata", "confidence", "confidence_bucket", "decision_status", "approved"];
const HIDDEN = { intent_hash: "", reason: "", tool_args: {}, action_metadata: {}, intent: {}, citations: [], evidence_chunks: [] };

const utf8 = (text) => new TextEncoder().encode(text);
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function need(condition, sentence) {
  if (!condition) throw new Failed(sentence);
}

function unhex(text, what = "a hash") {
  need(typeof text === "string" && /^[0-9a-f]{64}$/.test(text), `${what} is not 64 hexadecimal digits`);
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}

function same(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
}

export function b64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function unb64url(text, what) {
  need(typeof text === "string" && /^[A-Za-z0-9_-]*$/.test(text) && text.length % 4 !== 1, `${what} is not base64url`);
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
  need(b64url(bytes) === text, `${what} is not base64url in its one spelling`);
  return bytes;
}

// RFC 8785: JavaScript writes numbers and strings as it wants them, and sorts names as it does.
export function jcs(value) {
  if (Array.isArray(value)) return `[${value.map(jcs).join(",")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${jcs(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

// A number of JSON, as what is hashed has it: a 64-bit double. A plain JavaScript number is written as an integer.
export class Double {
  constructor(value) { this.value = value; }
}

export function doubles(value) {
  if (typeof value === "number") return new Double(value);
  if (Array.isArray(value)) return value.map(doubles);
  if (value !== null && typeof value === "object") return Object.fromEntries(Object.keys(value).map((name) => [name, doubles(value[name])]));
  return value;
}

// Deterministic CBOR (RFC 8949, 4.2): definite lengths, shortest integers; keys by length in characters, then by code point.
export function cbor(value) {
  if (value === null) return [0xf6];
  if (typeof value === "boolean") return [value ? 0xf5 : 0xf4];
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") { const bytes = utf8(value); return [...head(3, bytes.length), ...bytes]; }
  if (value instanceof Double) { const view = new DataView(new ArrayBuffer(8)); view.setFloat64(0, value.value); return [0xfb, ...new Uint8Array(view.buffer)]; }
  if (Array.isArray(value)) return [...head(4, value.length), ...value.flatMap(cbor)];
  const names = Object.keys(value).sort(byLengthThenCodePoint);
  return [...head(5, names.length), ...names.flatMap((name) => [...cbor(name), ...cbor(value[name])])];
}

function head(major, value) {
  need(Number.isSafeInteger(value), "a number is no whole number that can be hashed");
  const first = major << 5;
  if (value < 24) return [first | value];
  for (const [code, size] of [[24, 1], [25, 2], [26, 4], [27, 8]]) {
    if (value < 2 ** (8 * size)) return [first | code, ...bigEndian(value, size)];
  }
  throw new Failed("a number is too large");
}

function bigEndian(value, size) {
  return Array.from({ length: size }, (_, at) => Number((BigInt(value) >> BigInt(8 * (size - 1 - at))) & 255n));
}

function byLengthThenCodePoint(one, other) {
  const [left, right] = [[...one], [...other]];
  if (left.length !== right.length) return left.length - right.length;
  for (const [at, sign] of left.entries()) {
    const difference = sign.codePointAt(0) - right[at].codePointAt(0);
    if (difference) return difference;
  }
  return 0;
}

// The tree of RFC 6962; checked as RFC 9162, 2.1.3.2 and 2.1.4.2, spell it out.
const node = (left, right) => sha256([1], left, right);

export async function verifyInclusion(leaf, index, size, path, root) {
  need(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size, `a tree of ${size} entries has no entry ${index}`);
  let [found, at, last] = [leaf, BigInt(index), BigInt(size) - 1n];
  for (const sibling of path) {
    need(last > 0n, "the path is too long");
    if (at & 1n || at === last) {
      found = await node(sibling, found);
      while (at && !(at & 1n)) { at >>= 1n; last >>= 1n; }
    } else {
      found = await node(found, sibling);
    }
    at >>= 1n; last >>= 1n;
  }
  need(last === 0n, "the path is too short");
  need(same(found, root), "the path leads to another root than the signed one");
}

export async function verifyConsistency(oldSize, newSize, oldRoot, newRoot, path) {
  need(Number.isSafeInteger(oldSize) && Number.isSafeInteger(newSize) && oldSize > 0 && oldSize < newSize, "the sizes of the two trees don't fit");
  need(path.length > 0, "the path is too short");
  const [first, ...rest] = Number.isInteger(Math.log2(oldSize)) ? [oldRoot, ...path] : path;
  let [at, last] = [BigInt(oldSize) - 1n, BigInt(newSize) - 1n];
  while (at & 1n) { at >>= 1n; last >>= 1n; }
  let [foundOld, foundNew] = [first, first];
  for (const sibling of rest) {
    need(last > 0n, "the path is too long");
    if (at & 1n || at === last) {
      foundOld = await node(sibling, foundOld);
      foundNew = await node(sibling, foundNew);
      while (at && !(at & 1n)) { at >>= 1n; last >>= 1n; }
    } else {
      foundNew = await node(foundNew, sibling);
    }
    at >>= 1n; last >>= 1n;
  }
  need(last === 0n, "the path is too short");
  need(same(foundOld, oldRoot), "the path doesn't give the older root");
  need(same(foundNew, newRoot), "the path doesn't give the newer root");
}

// Keys: each is named by its RFC 7638 thumbprint. Points of small order, for which anybody could sign, are refused.
const PRIME = 2n ** 255n - 19n;
const SMALL_ORDER = new Set([0n, 1n, PRIME - 1n,
  littleEndian(fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")),
  littleEndian(fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))]);

function fromHex(text) { return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16)); }

function littleEndian(bytes) {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

export async function readKey(record) {
  need(record.algorithm === "Ed25519", "a key is of another algorithm");
  const jwk = JSON.parse(new TextDecoder().decode(unb64url(record.public_jwk, "a key")));
  const { crv, kty, x } = jwk;
  need(crv === "Ed25519" && kty === "OKP" && !("d" in jwk), "a key is no public Ed25519 key");
  const raw = unb64url(x, "a key");
  const y = littleEndian(raw) & ((1n << 255n) - 1n);
  need(raw.length === 32 && y < PRIME && !SMALL_ORDER.has(y), "a key is not a good Ed25519 key");
  const name = b64url(await sha256(utf8(`{"crv":"${crv}","kty":"${kty}","x":"${x}"}`)));
  need(record.key_id === name, `the key that is called ${record.key_id} is ${name}`);
  return { record, name, raw };
}

export async function verifySignature(raw, signature, message) {
  const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, signature, message);
}

async function signedBy(keys, name, signature, payload, what) {
  need(keys.has(name), `the key ${name} that signed ${what} is not in the bundle`);
  need(await verifySignature(keys.get(name).raw, unb64url(signature, "a signature"), payload), `the signature of ${what} is not of the key ${name}`);
}

// The steps. Each gives a sentence, or ["open", a sentence] for what it can't decide; it throws what doesn't hold.
async function checkKeys({ bundle, keys }) {
  let attested = 0;
  for (const record of bundle.keys) {
    const key = await readKey(record);
    need(!keys.has(key.name), "a key is listed twice");
    keys.set(key.name, key);
  }
  for (const { record, name } of keys.values()) {
    const parts = ["attestation_payload", "attestation_signature", "attestation_key_id"].filter((part) => record[part]);
    need({ 3: "attested", 0: "initial" }[parts.length] === record.attestation_status, `the record of the key ${name} doesn't say who vouches for it`);
    if (!record.attestation_key_id || !keys.has(record.attestation_key_id)) continue;
    need(record.attestation_key_id !== name, "a key vouches for itself");
    const payload = unb64url(record.attestation_payload, "an attestation");
    const expected = cbor({ active_from: record.active_from, attested_by: record.attestation_key_id, key_id: name,
      public_jwk: record.public_jwk, type: "key_attestation", version: 1 });
    need(same(payload, expected), `the attestation of the key ${name} says something else than its record`);
    await signedBy(keys, record.attestation_key_id, record.attestation_signature, payload, "an attestation");
    attested += 1;
  }
  return `${keys.size === 1 ? "One key, named" : `${keys.size} keys, each named`} by its own fingerprint${attested ? `; ${attested} vouched for by the one before` : ""}.`;
}

async function checkEvent({ bundle }) {
  const event = bundle.event;
  const hidden = Object.keys(HIDDEN).filter((name) => jcs(event[name]) === jcs(HIDDEN[name]));
  if (hidden.includes("intent")) {
    need(hidden.length === Object.keys(HIDDEN).length, "the record is neither the full nor the redacted view");
    return ["open", "You see the redacted view: its contents are kept back, so they can't be held against the hash. Everything below can."];
  }
  const intent = event.intent;
  need(event.intent_hash === hex(await sha256(utf8(jcs(intent)))), "what was recorded about the decision doesn't give its hash");
  const stated = derive(intent);
  for (const name of DERIVED_MEMBERS) {
    need((name in event) === (name in stated) && jcs(event[name] ?? null) === jcs(stated[name] ?? null), `“${name}” says something else than what was recorded`);
  }
  const payload = Object.fromEntries(PAYLOAD_MEMBERS.map((name) => [name, doubles(event[name])]));
  need(event.canonical_version === 1, "the record is of a version that this page doesn't know");
  payload.canonical_version = 1;
  const found = hex(await sha256(utf8(EVENT_DOMAIN), cbor(payload)));
  need(found === event.event_hash, `the contents give the hash ${found}, not the recorded one`);
  return `Tool, arguments, decision, reason and time give exactly the hash ${short(found)}.`;
}

export function derive(intent) {
  const { request, kind } = intent;
  const decision = intent.decision ?? null;
  const policy = decision ?? (request === null ? intent.action_metadata : {});
  const text = (value) => (typeof value === "string" ? value : "");
  const stated = {
    kind,
    request_id: intent.request_id,
    agent_id: request === null ? "" : request.agent_id,
    policy_id: text(policy.policy_id),
    policy_version_id: text(policy.policy_version_id),
    policy_content_hash: text(policy.policy_content_hash),
    tool_name: request === null ? kind : request.tool_name,
    tool_args: request === null ? {} : policy.effective_args ?? request.tool_args,
    action_category: intent.action_category,
    action_metadata: intent.action_metadata,
    confidence: 0,
    approved: false,
  };
  if (request !== null && decision !== null) {
    need(decision.confidence_bucket in MIDPOINTS, "the confidence is none that is known");
    stated.confidence_bucket = decision.confidence_bucket;
    stated.decision_status = decision.decision_status;
    stated.confidence = MIDPOINTS[decision.confidence_bucket];
    stated.approved = decision.decision_status === "approved";
  }
  return stated;
}

async function checkReceipt({ bundle, keys }) {
  const event = bundle.event;
  const payload = unb64url(event.receipt_payload, "the receipt");
  const expected = cbor({ accepted_at: event.accepted_at, event_hash: event.event_hash, event_uuid: event.event_uuid,
    leaf_hash: event.leaf_hash, receipt_key_id: event.receipt_key_id, request_id: event.request_id, type: "event_receipt", version: 1 });
  need(event.receipt_algorithm === "Ed25519" && same(payload, expected), "the receipt says something else than the record");
  await signedBy(keys, event.receipt_key_id, event.receipt_signature, payload, "the receipt");
  return `Signed at once, at ${event.accepted_at}.`;
}

async function checkLeaf({ bundle }) {
  const { event, inclusion } = bundle;
  const leaf = hex(await sha256([0], unhex(event.event_hash)));
  need(event.leaf_hash === leaf, "the leaf is not the hash of this record");
  for (const name of ["event_uuid", "request_id", "event_hash", "leaf_hash"]) {
    need(event[name] === inclusion[name], `the proof is about another record (${name})`);
  }
  need(event.leaf_index === null || event.leaf_index === inclusion.leaf_index, "the proof is about another place in the ledger");
  return `The leaf ${short(leaf)} is the hash of this record.`;
}

async function verifyCheckpoint(checkpoint, keys) {
  const payload = unb64url(checkpoint.checkpoint_payload, "the checkpoint");
  const expected = cbor({ export_targets: checkpoint.export_target ? [checkpoint.export_target] : [], key_id: checkpoint.signer_key_id,
    mmd_seconds: checkpoint.mmd_seconds, prev_checkpoint_hash: checkpoint.prev_checkpoint_hash, root_hash: checkpoint.root_hash,
    signed_at: checkpoint.signed_at, tree_size: checkpoint.tree_size, type: "checkpoint", version: 1 });
  need(same(payload, expected), "the checkpoint's signed bytes say something else than it does");
  need(checkpoint.checkpoint_hash === hex(await sha256(utf8(CHECKPOINT_DOMAIN), payload)), "the checkpoint's hash is not its own");
  need(checkpoint.signature_algorithm === "Ed25519", "the checkpoint is signed in another way");
  await signedBy(keys, checkpoint.signer_key_id, checkpoint.checkpoint_signature, payload, "the checkpoint");
}

async function checkCheckpoint({ bundle, keys }) {
  const { checkpoint, tree_size } = bundle.inclusion;
  need(tree_size === checkpoint.tree_size, "the proof is for a tree of another size than the checkpoint's");
  await verifyCheckpoint(checkpoint, keys);
  return `Checkpoint ${checkpoint.checkpoint_id} over ${checkpoint.tree_size} entries, signed at ${checkpoint.signed_at}.`;
}

async function checkInclusion({ bundle }) {
  const { leaf_hash, leaf_index, tree_size, path, checkpoint } = bundle.inclusion;
  await verifyInclusion(unhex(leaf_hash), leaf_index, tree_size, path.map((each) => unhex(each)), unhex(checkpoint.root_hash));
  return `Entry ${leaf_index + 1} of ${tree_size}: ${path.length} hashes lead from this record to the signed root.`;
}

async function checkNewest({ bundle, keys }) {
  const proof = bundle.consistency;
  if (!proof) return ["open", "The bundle holds no later checkpoint: what the ledger did afterwards is not shown here."];
  const { from_checkpoint: old, to_checkpoint: newer } = proof;
  need(jcs(old) === jcs(bundle.inclusion.checkpoint), "the later checkpoint follows another one");
  need(newer.checkpoint_id > old.checkpoint_id, "the later checkpoint is not later");
  await verifyCheckpoint(newer, keys);
  await verifyConsistency(old.tree_size, newer.tree_size, unhex(old.root_hash), unhex(newer.root_hash), proof.path.map((each) => unhex(each)));
  return `Checkpoint ${newer.checkpoint_id} over ${newer.tree_size} entries extends it: nothing was removed or changed in between.`;
}

async function checkLog({ bundle }) {
  const signer = (bundle.consistency?.to_checkpoint ?? bundle.inclusion.checkpoint).signer_key_id;
  return ["open", `The key ${signer} identifies this ledger. Compare it with the one that the ledger's owner gave you some other way.`];
}

const STEPS = [
  ["Keys", checkKeys],
  ["Contents", checkEvent],
  ["Receipt", checkReceipt],
  ["Leaf", checkLeaf],
  ["Checkpoint", checkCheckpoint],
  ["Inclusion", checkInclusion],
  ["Later checkpoint", checkNewest],
  ["Whose ledger", checkLog],
];

const short = (hash) => `${hash.slice(0, 12)}…`;

export async function canVerify() {
  if (!globalThis.crypto?.subtle) return "This page was not loaded over HTTPS, so the browser offers no cryptography.";
  try {
    await crypto.subtle.importKey("raw", fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), "Ed25519", false, ["verify"]);
    return "";
  } catch {
    return "This browser can't verify Ed25519 signatures.";
  }
}

// Yields { name, outcome, detail } for each step; outcome is "holds", "open" or "fails", and nothing comes after a failure.
export async function* verifyBundle(bundle) {
  const evidence = { bundle, keys: new Map() };
  for (const [name, check] of STEPS) {
    let step;
    try {
      const found = await check(evidence);
      step = typeof found === "string" ? { name, outcome: "holds", detail: found } : { name, outcome: found[0], detail: found[1] };
    } catch (error) {
      step = { name, outcome: "fails", detail: error instanceof Failed ? error.message : "the bundle doesn't have the form of one" };
    }
    yield step;
    if (step.outcome === "fails") return;
  }
}

// The page's part: a section with a button, a list for the steps and a line for the result.
const WORDS = { holds: ["good", "holds"], open: ["plain", "open"], fails: ["bad", "fails"] };

function shown(step) {
  const line = document.createElement("li");
  const [kind, word] = WORDS[step.outcome];
  const badge = Object.assign(document.createElement("span"), { className: "badge", textContent: word });
  badge.dataset.kind = kind;
  const name = Object.assign(document.createElement("strong"), { textContent: step.name });
  const detail = Object.assign(document.createElement("span"), { className: "wrap", textContent: step.detail });
  line.dataset.outcome = step.outcome;
  line.append(badge, name, detail);
  return line;
}

async function run(section) {
  const [list, result, button] = ["[data-verify-steps]", "[data-verify-result]", "[data-verify]"].map((part) => section.querySelector(part));
  const say = (kind, sentence) => { result.dataset.kind = kind; result.textContent = sentence; result.hidden = false; };
  list.replaceChildren();
  button.disabled = true;
  try {
    const missing = await canVerify();
    if (missing) { say("wait", `${missing} Download the bundle and check it with the command below.`); return; }
    say("plain", "Checking …");
    const answer = await fetch(section.dataset.bundle, { headers: { Accept: "application/json" } });
    if (!answer.ok) { say("wait", "The proof can't be had just now. Try again in a moment."); return; }
    const steps = [];
    for await (const step of verifyBundle(await answer.json())) { steps.push(step); list.append(shown(step)); }
    const failed = steps.find((step) => step.outcome === "fails");
    if (failed) say("danger", `This record does not hold: ${failed.detail}.`);
    else if (steps[1].outcome === "open") say("good", "The record's hash is in the signed ledger. Its contents are kept back from you.");
    else say("good", "This record is exactly what the ledger's key signed.");
  } catch {
    say("wait", "The proof can't be read. Try again, or download the bundle.");
  } finally {
    button.disabled = false;
  }
}

const section = globalThis.document?.getElementById("verify");
if (section) {
  const button = section.querySelector("[data-verify]");
  button.hidden = false;
  button.addEventListener("click", () => run(section));
}
