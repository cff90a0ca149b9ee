"use strict";

/** All that is known of one node, the steps that lead to it, and how it goes on. */
class Details {
  /** `onSelect(node)` is told when a step is chosen here. */
  constructor(element, tree, onSelect) {
    Object.assign(this, {element, tree, onSelect});
  }

  /** `twin`: the tree held beside this one and the node with the same steps in it, -1 for none; or null. */
  show(node, twin) {
    this.element.replaceChildren(...this.parts(node, twin));
  }

  parts(node, twin) {
    const {tree} = this;
    const ways = tree.lineage(node).slice(1);
    return [
      make("header", null, make("h3", null, node === 0 ? "The question" : `Step ${tree.depth[node]}`), ...this.badges(node)),
      node === 0 ? null : make("p", {className: "step"}, tree.data.text[node]),
      this.figures(node, twin),
      ways.length > 1 ? this.list("The way here", ways, node) : null,
      tree.children[node].length > 0 ? this.list("Goes on with", this.ranked(node), node) : null,
    ].filter(part => part !== null);
  }

  badges(node) {
    const {tree} = this;
    const kind = tree.kind(node);
    const answer = tree.data.answers[node];
    const found = [];
    if (kind !== "step") {
      const word = kind === "other" ? tree.data.verdicts[node] : VERDICTS[kind].name;
      found.push(badge(kind, `${VERDICTS[kind].mark} ${word}`.trim()));
    }
    if (tree.data.ends[node] === "truncated") found.push(badge("other", "cut off"));
    if (node > 0 && tree.chosen.has(node)) found.push(badge("chosen", node === tree.data.answer ? "★ the answer" : "chosen path"));
    if (answer !== undefined) found.push(badge("plain", `answers ${clipped(answer, 40)}`));
    return found;
  }

  figures(node, twin) {
    const {data} = this.tree;
    const rows = Object.entries(MEASURES).map(([key, [name, hint]]) => [name, hint, data[key][node], key]);
    rows.push(["visits", "how often the step was drawn or passed", data.visits[node], "visits"]);
    if (node > 0) rows.push(["tokens", "of the step", data.tokens[node], "tokens"]);
    const cells = rows.flatMap(([name, hint, value, key]) => [
      make("dt", {title: hint}, name),
      make("dd", null, decimal(value), ...this.beside(twin, key, value)),
    ]);
    const far = twin && twin.node < 0 ? make("p", {className: "quiet"}, `Not in ${twin.where}.`) : null;
    return make("div", null, make("dl", {className: "figures"}, ...cells), ...(far ? [far] : []));
  }

  /** The same figure in the other tree, where it differs. */
  beside(twin, key, value) {
    if (!twin || twin.node < 0) return [];
    const other = twin.tree.data[key][twin.node];
    return other === value ? [] : [make("small", null, `${decimal(other)} in ${twin.where}`)];
  }

  /** Children with the most visits first. */
  ranked(node) {
    const {visits} = this.tree.data;
    return d3.sort(this.tree.children[node], (a, b) => visits[b] - visits[a] || a - b);
  }

  list(title, nodes, current) {
    const rows = nodes.slice(0, 100).map(node => make("li", null, this.row(node, node === current)));
    const more = nodes.length - rows.length;
    if (more > 0) rows.push(make("li", {className: "quiet"}, `and ${whole(more)} more`));
    return make("section", null, make("h4", null, title), make("ol", null, ...rows));
  }

  row(node, isCurrent) {
    const {tree} = this;
    const kind = tree.kind(node);
    const value = tree.data.value[node];
    const mark = kind === "step" ? "" : VERDICTS[kind].mark;
    const row = make(
      "button",
      {type: "button", className: "row", onclick: () => this.onSelect(node)},
      make("span", {className: "words"}, clipped(tree.data.text[node], 120) || "(empty step)"),
      make("span", {className: `verdict ${kind}`}, mark),
      make("span", {className: "number"}, value === null ? "" : d3.format(".2f")(value)),
    );
    if (isCurrent) row.setAttribute("aria-current", "true");
    return row;
  }
}

function badge(kind, text) {
  return make("span", {className: `badge ${kind}`}, text);
}
