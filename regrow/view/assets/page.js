"use strict";

const given = JSON.parse(document.getElementById("data").textContent);
const place = id => document.getElementById(id);
const state = {problem: 0, left: 0, right: null, active: 0, sides: [], outcome: "all", measure: "value", hits: [], hit: -1};

/** One tree with its canvas and details. */
function side(data, index) {
  const tree = new Tree(data);
  const canvas = make("canvas", {tabIndex: 0});
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `Search tree ${data.where}: arrow keys walk, what is selected is told beside it`);
  const box = make("aside", {className: "details"});
  box.setAttribute("aria-live", "polite");
  const choose = node => select(index, node);
  const pane = new Pane(canvas, tree, choose);
  canvas.addEventListener("focus", () => (state.active = index));
  const stage = make("div", {className: "stage"}, canvas, zooms(pane));
  const element = make("section", {className: "side"}, summary(tree), make("div", {className: "both"}, stage, box));
  return {tree, pane, details: new Details(box, tree, choose), element, match: null};
}

function zooms(pane) {
  const button = (text, title, onclick) => {
    const made = make("button", {type: "button", title, onclick}, text);
    made.setAttribute("aria-label", title);
    return made;
  };
  return make(
    "div",
    {className: "zooms"},
    button("+", "Closer", () => pane.by(1.4)),
    button("−", "Farther", () => pane.by(1 / 1.4)),
    button("⤢", "The whole tree (F)", () => pane.fit()),
  );
}

/** A line on what a tree is. */
function summary(tree) {
  const {where, strategy, spent, answer, failure, answers} = tree.data;
  const counts = solutions(tree.data);
  const drawn = Object.keys(VERDICTS).filter(kind => counts[kind] > 0);
  const said = answers[answer];
  const kind = answer > 0 ? tree.kind(answer) : "step";
  return make(
    "p",
    {className: "summary"},
    where ? make("b", null, where) : null,
    make("span", null, strategy.replaceAll("_", " ")),
    make("span", null, `${whole(tree.size)} nodes`),
    ...drawn.map(kind => make("span", {className: `verdict ${kind}`}, `${VERDICTS[kind].mark} ${whole(counts[kind])} ${VERDICTS[kind].name}`)),
    make("span", null, `${whole(spent.tokens_generated)} tokens`),
    answer > 0 ? badge(kind === "step" ? "chosen" : kind, `★ ${clipped(said ?? tree.data.text[answer], 30)}`) : badge("other", "no answer"),
    failure ? badge("wrong", clipped(failure, 80)) : null,
  );
}

/** Show a problem: one of its trees, or two side by side. */
function open(problem, left, right) {
  state.sides.forEach(one => one.pane.close());
  const {id, question, gold, trees} = given.problems[problem];
  Object.assign(state, {problem, left, right, active: 0, outcome: "all", hits: [], hit: -1});
  const shown = right === null ? [left] : [left, right];
  state.sides = shown.map((at, index) => side(trees[at], index));
  place("question").textContent = question;
  place("gold").replaceChildren(make("span", null, id), ...(gold ? [make("span", null, "gold answer ", make("b", null, gold))] : []));
  place("sides").replaceChildren(...state.sides.map(one => one.element));
  place("sides").className = `sides ${right === null ? "alone" : "paired"}`;
  place("changes").replaceChildren(...(right === null ? [] : compared()));
  place("words").value = "";
  place("depth").max = d3.max(state.sides, one => one.tree.deepest);
  place("depth").value = place("depth").max;
  const isTold = measure => state.sides.some(({tree}) => tree.data[measure].some(value => value !== null));
  if (!isTold(state.measure)) state.measure = Object.keys(MEASURES).find(isTold) ?? "value";
  controls();
  coloured();
  state.sides.forEach((one, index) => mark(index, Math.max(0, one.tree.data.answer)));
}

function compared() {
  const [before, after] = state.sides;
  before.match = before.tree.matched(after.tree);
  after.match = after.tree.matched(before.tree);
  for (const [one, sign] of [[before, "−"], [after, "+"]]) {
    one.pane.only = new Set(d3.range(1, one.tree.size).filter(node => one.match[node] < 0));
    one.pane.sign = sign;
  }
  return changes(before.tree, after.tree, before.match, node => select(0, node));
}

/** Select a node and, where the tree beside has the same steps, its node there. */
function select(index, node) {
  state.active = index;
  mark(index, node);
  const same = state.sides[index].match?.[node] ?? -1;
  if (same >= 0) mark(1 - index, same);
}

function mark(index, node) {
  const {pane, details, match} = state.sides[index];
  const other = state.sides[1 - index]?.tree;
  pane.select(node);
  details.show(node, other ? {tree: other, node: match[node], where: other.data.where} : null);
}

/** The controls as the state has them. */
function controls() {
  const {trees} = given.problems[state.problem];
  place("problem").value = state.problem;
  place("previous").disabled = state.problem === 0;
  place("next").disabled = state.problem === given.problems.length - 1;
  place("rounds").hidden = trees.length < 2;
  for (const [id, more] of [["left", []], ["right", [make("option", {value: ""}, "alone")]]]) {
    const options = trees.map((tree, at) => make("option", {value: at}, tree.where || `tree ${at + 1}`));
    place(id).replaceChildren(...options, ...more);
    place(id).value = state[id] ?? "";
  }
  const counts = state.sides.map(one => solutions(one.tree.data));
  for (const button of place("outcome").children) {
    button.setAttribute("aria-pressed", button.value === state.outcome);
    button.disabled = ["right", "wrong"].includes(button.value) && d3.sum(counts, each => each[button.value]) === 0;
  }
  place("reach").textContent = place("depth").value === place("depth").max ? "all" : `≤ ${place("depth").value}`;
  const count = state.hits.length;
  place("count").textContent = place("words").value ? `${Math.max(0, state.hit + 1)} of ${count}` : "";
}

/** Colour nodes by the measure, and say what the colours mean. */
function coloured() {
  place("measure").value = state.measure;
  const scale = look.scale(state.sides.map(one => one.tree), state.measure);
  const [low, , high] = scale.domain();
  for (const {pane} of state.sides) Object.assign(pane, {scale, measure: state.measure});
  place("lowest").textContent = decimal(low);
  place("highest").textContent = decimal(high);
  place("measured").textContent = MEASURES[state.measure][0];
}

function refresh() {
  coloured();
  controls();
  state.sides.forEach(one => one.pane.update());
}

function filter() {
  for (const {tree, pane} of state.sides) {
    tree.filter(state.outcome, Number(place("depth").value));
    if (pane.selected !== null && !tree.kept[pane.selected]) pane.selected = null;
  }
  search();
  state.sides.forEach(one => one.pane.home());
}

function search() {
  const words = place("words").value.trim();
  state.hit = -1;
  for (const [index, {tree, pane}] of state.sides.entries()) {
    const found = words ? tree.find(words) : [];
    pane.hits = new Set(found);
    if (index === state.active) state.hits = found;
  }
  refresh();
}

/** Go to the next text that was found, or the one before. */
function seek(step) {
  if (state.hits.length === 0) return;
  state.hit = (state.hit + step + state.hits.length) % state.hits.length;
  select(state.active, state.hits[state.hit]);
  controls();
}

function clear() {
  place("words").value = "";
  place("depth").value = place("depth").max;
  state.outcome = "all";
  filter();
}

function show(problem) {
  const {trees} = given.problems[problem];
  open(problem, 0, trees.length > 1 ? trees.length - 1 : null);
}

const KEYS = {
  "/": () => place("words").focus(),
  Escape: clear,
  Home: () => select(state.active, 0),
  a: () => state.sides[state.active].tree.data.answer > 0 && select(state.active, state.sides[state.active].tree.data.answer),
  f: () => state.sides.forEach(one => one.pane.fit()),
  o: () => (state.sides.forEach(one => one.tree.openAll()), refresh()),
  "?": () => place("help").showModal(),
  Enter: fold,
  " ": fold,
  n: () => seek(1),
  N: () => seek(-1),
};

function fold() {
  const {tree, pane} = state.sides[state.active];
  if (pane.selected === null) return;
  tree.toggle(pane.selected);
  pane.update();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || place("help").open) return;
  const isTyping = event.target.matches("input, select, textarea");
  if (isTyping && event.key !== "Escape") return;
  if (event.target.matches("button, summary, a") && ["Enter", " "].includes(event.key)) return;
  const {tree, pane} = state.sides[state.active];
  if (event.key.startsWith("Arrow")) select(state.active, tree.neighbour(pane.selected ?? 0, event.key));
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
  if (event.key === "Escape") pane.canvas.focus({preventScroll: true});
}

/** Follow the system, or one of the two. */
function theme(name) {
  document.documentElement.dataset.theme = name;
  place("theme").textContent = {auto: "◐ auto", light: "☀ light", dark: "☾ dark"}[name];
  look.known.clear();
  if (state.sides.length > 0) refresh();
  document.dispatchEvent(new Event("theme"));
}

/** A problem in the list of them: how it begins, and how much was right, from tree to tree. */
function named({question, trees}, at) {
  const shares = trees.map(solutions).map(({right, all}) => `${right}/${all}`);
  return make("option", {value: at}, `${at + 1}.  ${clipped(question, 48)}   ✓ ${shares.join(" → ")}`);
}

function start() {
  place("problem").replaceChildren(...given.problems.map(named));
  place("pick").hidden = given.problems.length < 2;
  place("measure").replaceChildren(...Object.entries(MEASURES).map(([key, [name]]) => make("option", {value: key}, name)));
  place("problem").onchange = event => show(Number(event.target.value));
  place("previous").onclick = () => show(state.problem - 1);
  place("next").onclick = () => show(state.problem + 1);
  place("left").onchange = event => open(state.problem, Number(event.target.value), state.right);
  place("right").onchange = event => open(state.problem, state.left, event.target.value === "" ? null : Number(event.target.value));
  place("measure").onchange = event => ((state.measure = event.target.value), refresh());
  place("depth").oninput = filter;
  place("words").oninput = search;
  place("words").onkeydown = event => {
    if (event.key === "Enter") seek(event.shiftKey ? -1 : 1);
  };
  place("outcome").onclick = event => {
    if (!event.target.value) return;
    state.outcome = event.target.value;
    filter();
  };
  place("unfold").onclick = KEYS.o;
  place("fold").onclick = () => (state.sides.forEach(one => one.tree.fold()), refresh());
  place("keys").onclick = KEYS["?"];
  place("theme").onclick = () => theme({auto: "light", light: "dark", dark: "auto"}[document.documentElement.dataset.theme]);
  document.addEventListener("keydown", onKey);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(document.documentElement.dataset.theme));
  theme("auto");
  show(0);
}

start();
