// Makes pages that work without it more pleasant: live parts, copying, keys. It decides nothing and sends no form by
// itself: keys put the focus on a button, and only a press sends it.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Copying: the button is there only where the browser can do it.
function offerCopies(root) {
  if (!navigator.clipboard) return;
  for (const button of all("[data-copy]", root)) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
});

// Filters that apply when they are changed.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-submit-on-change]");
  if (form) form.requestSubmit();
});

// A form is sent once, however often the button is pressed; a page that the back button brings back works again.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const form = event.target;
  setTimeout(() => { for (const button of all("button", form)) button.disabled = true; });
});
addEventListener("pageshow", () => { for (const button of all("button[disabled]:not([data-off])")) button.disabled = false; });

// Live parts: an element with an id and `data-live="kind kind"` is fetched anew when such an event happens.
let waiting;
const filledIn = "popover" in HTMLElement.prototype ? "details[open] form, :popover-open form" : "details[open] form";
async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Ledgix-Refresh": "1" } });
  // Never `reload`: on the answer to a form that would send the form again.
  if (answer.redirected && new URL(answer.url).pathname === "/app/sign-in") { location.assign(answer.url); return; }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of all("[data-live]")) {
    const next = fresh.getElementById(part.getAttribute("id")); // `part.id` of a form may be its field of that name
    if (!next || next.innerHTML === part.innerHTML) continue;
    if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) continue;
    if (part.querySelector(filledIn)) continue; // somebody is filling it in
    const focused = document.activeElement && part.contains(document.activeElement) ? document.activeElement.id : "";
    const opened = all("details", part).map((each) => each.open);
    part.replaceChildren(...next.childNodes);
    all("details", part).forEach((each, place) => { each.open ||= opened[place] ?? false; });
    offerCopies(part);
    if (focused) document.getElementById(focused)?.focus();
    part.dispatchEvent(new CustomEvent("ledgix:refreshed", { bubbles: true }));
  }
}

function listen() {
  const kinds = new Set(all("[data-live]").flatMap((part) => part.dataset.live.split(/\s+/)).filter(Boolean));
  if (!kinds.size || !window.EventSource) return;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(refresh, 250); };
  let stream, after = document.body.dataset.position; // what happened since the page was made counts, too
  if (after === undefined) return; // the answer to a form: it may show what no other page shows, so it stays as it is
  // Only what is looked at listens: a browser has few connections to one host, and each open page would hold one.
  const open = () => {
    stream = new EventSource(after ? `/app/events?after=${after}` : "/app/events");
    after = "";
    for (const kind of kinds) stream.addEventListener(kind, soon);
  };
  const close = () => { stream?.close(); stream = undefined; };
  if (!document.hidden) open();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!stream) { open(); soon(); }
  });
  addEventListener("pagehide", close);
}

// Keys: j and k move through a list; other letters put the focus on what carries `data-key`; ? explains them.
function items() { return all("[data-keys] [data-item]"); }

function current() { return document.activeElement?.closest("[data-item]"); }

function move(step) {
  const list = items();
  if (!list.length) return;
  const at = list.indexOf(current());
  const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + step))];
  (next.matches("a, button, [tabindex]") ? next : next.querySelector("a, button, [tabindex]"))?.focus();
  next.scrollIntoView({ block: "nearest" });
}

function press(letter) {
  const target = (current() ?? document).querySelector(`[data-key="${CSS.escape(letter)}"]`)
    ?? document.querySelector(`[data-key="${CSS.escape(letter)}"]`);
  if (!target) return false;
  if (target.matches("summary")) {
    target.parentElement.open = true;
    target.parentElement.querySelector("input:not([type=hidden]), textarea, button")?.focus();
  } else if (target.matches("a")) {
    target.click();
  } else {
    target.focus();
  }
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "?") document.getElementById("keys")?.showModal();
  else if (!/^[a-z]$/.test(event.key) || !press(event.key)) return;
  event.preventDefault();
});

offerCopies(document);
listen();
