// Shows how far an upload is. Without it the form is sent as any other.
for (const form of document.querySelectorAll("form[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const box = form.querySelector("[data-progress]");
    const bar = box.querySelector("progress");
    const text = box.querySelector("[data-progress-text]");
    const button = form.querySelector("button");
    const request = new XMLHttpRequest();
    box.hidden = false;
    button.disabled = true;
    text.textContent = "Uploading…";
    request.upload.addEventListener("progress", (step) => {
      if (!step.lengthComputable) return;
      bar.value = Math.round((step.loaded / step.total) * 100);
      text.textContent = `${bar.value} % uploaded`;
    });
    request.upload.addEventListener("load", () => {
      bar.removeAttribute("value");
      text.textContent = "Reading the document…";
    });
    request.addEventListener("load", () => {
      if (request.status < 400 && request.responseURL !== form.action) {
        location.assign(request.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const error = page.querySelector("#f-file-error, .note[data-kind=danger], main .muted");
      box.hidden = true;
      button.disabled = false;
      showError(form, error ? error.textContent.trim() : "This did not work. Try again.");
    });
    request.addEventListener("error", () => {
      box.hidden = true;
      button.disabled = false;
      showError(form, "The connection broke. Try again.");
    });
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
  });
}

function showError(form, message) {
  const input = form.querySelector("input[type=file]");
  let line = form.querySelector(".error");
  if (!line) {
    line = document.createElement("p");
    line.className = "error";
    line.id = `${input.id}-error`;
    line.setAttribute("role", "alert");
    input.after(line);
  }
  line.textContent = message;
  input.setAttribute("aria-invalid", "true");
}
