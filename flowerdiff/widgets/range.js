// A slider with a name and a number. ipywidgets' own has no name that a screen reader could read.
//
// State (see range.py): label, value, min, max, step.

const PAUSE = 250; // milliseconds without a move before Python hears of it, which may be slow

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function render({ model, el }) {
  const limits = Object.fromEntries(["min", "max", "step"].map((name) => [name, model.get(name)]));
  const input = element("input", { type: "range", "aria-label": model.get("label"), ...limits });
  const shown = element("output", { "aria-live": "off" }); // the slider says its own value
  const name = element("span", {}, model.get("label"));
  // Without it JupyterLab would take the keys: an arrow would leave the cell.
  input.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(element("label", { class: "fd-range" }, name, input, shown));

  let soon;
  const tell = (value) => (shown.textContent = String(Number(Number(value).toFixed(2))));
  const draw = () => {
    clearTimeout(soon);
    input.value = model.get("value"); // the input rounds to its step, Python does not
    tell(model.get("value"));
  };
  input.oninput = () => tell(input.value);
  input.onchange = () => {
    clearTimeout(soon);
    soon = setTimeout(() => {
      model.set("value", Number(input.value));
      model.save_changes();
    }, PAUSE);
  };
  model.on("change:value", draw);
  draw();
  return () => clearTimeout(soon);
}

export default { render };
