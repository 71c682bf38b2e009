// The blind test: two sets of pictures, which is the real one? Nothing is said before the last round.
// All of it lies in the state, the verdicts for every result too, so no kernel is needed.
//
// State (see blind.py): contests, rounds: [contest][round] { images: [left, right], real: 0 or 1 },
// verdicts: [number right], contest, answers: [contest][answers so far, 0 left, 1 right], question.

const SIDES = ["left", "right"];

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function render({ model, el }) {
  const select = element("select");
  const label = element("label", {}, "real flowers against: ", select);
  model.get("contests").forEach((name, i) => select.append(element("option", { value: i }, name)));
  const where = element("span", { class: "fd-where", role: "status" });
  const again = element("button", { type: "button", class: "fd-again" }, "Start again");
  const question = element("p", { class: "fd-question" });
  const sides = SIDES.map((side) => {
    const img = element("img", { draggable: "false" });
    const button = element("button", { type: "button", "aria-label": side }, img, side);
    return { img, button };
  });
  const pair = element("div", { class: "fd-pair" }, ...sides.map((side) => side.button));
  const verdict = element("p", { class: "fd-verdict", role: "status" });
  const review = element("div", { class: "fd-review" });
  const root = element(
    "div",
    { class: "fd-blind", role: "group", "aria-label": "Blind test" },
    element("div", { class: "fd-top" }, label, again, where),
    question,
    pair,
    verdict,
    review,
  );
  // Without it JupyterLab would take the keys: an arrow would leave the cell.
  for (const control of root.querySelectorAll("select, button")) {
    control.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  el.append(root);

  const given = () => model.get("answers")[model.get("contest")];
  const rounds = () => model.get("rounds")[model.get("contest")];
  const store = (answers) => {
    const all = model.get("answers").slice(); // a new list, or nobody would notice the change
    all[model.get("contest")] = answers;
    model.set("answers", all);
    model.save_changes();
  };
  const answer = (side) => {
    if (given().length < rounds().length) store([...given(), side]);
  };

  const reviewed = (round, i) => {
    const right = given()[i] === round.real;
    const images = round.images.map((src, side) => {
      const alt = `round ${i + 1}, ${SIDES[side]}: ${side === round.real ? "real" : "not real"}`;
      return element("img", { src, alt, class: side === round.real ? "fd-real" : "" });
    });
    const words = `${right ? "✓" : "✗"} real: ${SIDES[round.real]}`;
    return element("figure", {}, ...images, element("figcaption", {}, words));
  };

  const draw = () => {
    const done = given().length === rounds().length;
    select.value = model.get("contest");
    again.disabled = given().length === 0;
    if (done && pair.contains(document.activeElement)) again.focus(); // or the focus would be lost
    question.hidden = pair.hidden = done;
    verdict.hidden = review.hidden = !done;
    if (done) {
      const right = rounds().filter((round, i) => round.real === given()[i]).length;
      where.textContent = "";
      verdict.textContent = model.get("verdicts")[right];
      review.replaceChildren(...rounds().map(reviewed));
      return;
    }
    const round = rounds()[given().length];
    const place = `Round ${given().length + 1} of ${rounds().length}`;
    where.textContent = place;
    question.textContent = model.get("question");
    sides.forEach(({ img }, side) => {
      img.src = round.images[side];
      img.alt = `${place}, ${SIDES[side]}`;
    });
    verdict.textContent = "";
    review.replaceChildren();
  };

  // Of a double click the second is no answer: nobody has seen that round yet.
  sides.forEach(({ button }, side) => (button.onclick = (event) => event.detail < 2 && answer(side)));
  again.onclick = () => {
    store([]);
    sides[0].button.focus();
  };
  select.onchange = () => {
    model.set("contest", Number(select.value));
    model.save_changes();
  };
  root.onkeydown = (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return; // for the browser
    if (event.key === "Enter" && event.repeat) event.preventDefault(); // held down: one answer
    const side = ["ArrowLeft", "ArrowRight"].indexOf(event.key);
    if (side < 0 || event.target === select) return; // a select has its own keys
    event.preventDefault();
    if (!event.repeat) answer(side); // a key that is held down is one answer
  };
  for (const name of ["contest", "answers", "rounds"]) model.on(`change:${name}`, draw);
  draw();
}

export default { render };
