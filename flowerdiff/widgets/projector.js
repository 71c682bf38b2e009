// A switch that marks the page as one for a projector; see projector.css. Several switches on one
// page agree: each looks at the mark and tells the others when it has moved it.

const MARK = "fd-projector";
const MOVED = "fd-projector-moved";

function mark(on) {
  document.documentElement.classList.toggle(MARK, on);
  window.dispatchEvent(new Event(MOVED));
}

function initialize({ model }) {
  mark(model.get("on"));
  model.on("change:on", () => mark(model.get("on")));
}

function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "fd-projector-switch";
  const draw = () => {
    const on = document.documentElement.classList.contains(MARK);
    button.setAttribute("aria-pressed", on);
    button.textContent = on ? "Projector: on" : "Projector: off";
  };
  button.onclick = () => {
    const on = !document.documentElement.classList.contains(MARK);
    mark(on); // also if another switch was the last to move it
    model.set("on", on);
    model.save_changes();
  };
  window.addEventListener(MOVED, draw);
  draw();
  el.append(button);
  return () => window.removeEventListener(MOVED, draw);
}

export default { initialize, render };
