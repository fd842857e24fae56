// Counts what is ticked, and ticks all sentences that are understood. Without it people tick them one by one.
for (const form of document.querySelectorAll("form[data-choose]")) {
  const said = form.querySelector("[data-chosen]");
  const tick = form.querySelector("[data-tick]");
  const understood = [...form.querySelectorAll("[data-understood] input[type=checkbox]")];
  const count = () => {
    const chosen = form.querySelectorAll("input[name=sentence]:checked, input[name=sentence][type=hidden]").length;
    said.textContent = chosen ? `${chosen} chosen` : "Nothing chosen yet";
  };
  tick.hidden = understood.length === 0;
  tick.addEventListener("click", () => {
    for (const box of understood) box.checked = true;
    count();
  });
  form.addEventListener("change", count);
  count();
}
