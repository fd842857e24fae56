// Runs a simulation in steps and shows how far it is. Without it the page simply takes a moment.
for (const form of document.querySelectorAll("form[data-simulation]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams(new FormData(form));
    const box = form.querySelector("[data-progress]");
    const bar = box.querySelector("progress");
    const text = box.querySelector("[data-progress-text]");
    const button = form.querySelector("button");
    box.hidden = false;
    button.disabled = true;
    bar.removeAttribute("value");
    text.textContent = "Looking at requests…";
    try {
      const answer = await fetch(`${form.dataset.simulation}?${query}`, { headers: { Accept: "application/x-ndjson" } });
      if (!answer.ok) throw new Error((await answer.json()).detail ?? "This did not work.");
      for await (const step of lines(answer.body)) {
        if (step.html) {
          document.getElementById("simulation").innerHTML = step.html;
          history.replaceState(null, "", `?${query}`);
          text.textContent = "Done.";
          bar.value = 100;
          document.getElementById("result")?.focus();
        } else {
          bar.value = step.total ? Math.round((step.examined / step.total) * 100) : 0;
          text.textContent = `${step.examined.toLocaleString("en")} of ${step.total.toLocaleString("en")} requests`;
        }
      }
    } catch (error) {
      text.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
  }
}
