"use strict";

/** Nodes that are shown before anybody opens a branch. */
const OPENED = 250;

/** right | wrong | other (a solution of another verdict) | solution (nobody judged it) | step */
function kindOf(data, node) {
  const verdict = data.verdicts[node];
  if (verdict !== undefined) return {correct: "right", wrong: "wrong"}[verdict] ?? "other";
  return data.ends[node] === "final" ? "solution" : "step";
}

/** Solutions of a tree's columns, by kind; one that was drawn twice counts twice. */
function solutions(data) {
  const counts = {right: 0, wrong: 0, other: 0, solution: 0, all: 0};
  for (const node of new Set([...Object.keys(data.verdicts), ...Object.keys(data.ends)])) {
    const kind = kindOf(data, node);
    if (kind === "step") continue;
    const drawn = Math.max(1, data.visits[node]);
    counts[kind] += drawn;
    counts.all += drawn;
  }
  return counts;
}

/** A search tree: its columns, and which nodes are shown. Node 0 is the root; parents stand before their children. */
class Tree {
  constructor(data) {
    this.data = data;
    this.size = data.parent.length;
    this.children = Array.from({length: this.size}, () => []);
    this.depth = new Int32Array(this.size);
    for (let node = 1; node < this.size; node++) {
      const parent = data.parent[node];
      this.children[parent].push(node);
      this.depth[node] = this.depth[parent] + 1;
    }
    this.deepest = this.depth.reduce((most, depth) => Math.max(most, depth), 0);
    this.mostVisits = data.visits.reduce((most, visits) => Math.max(most, visits), 1);
    this.chosen = new Set(data.answer > 0 ? this.lineage(data.answer) : []);
    this.isOpen = new Uint8Array(this.size);
    this.kept = new Uint8Array(this.size);
    this.beneath = new Int32Array(this.size);
    this.filter("all", this.deepest);
  }

  /** The nodes from the root to `node`. */
  lineage(node) {
    const way = [];
    for (; node >= 0; node = this.data.parent[node]) way.push(node);
    return way.reverse();
  }

  kind(node) {
    return kindOf(this.data, node);
  }

  /** Keep the ways to leaves of an outcome, down to a depth, and fold what would be too much to see. */
  filter(outcome, depth) {
    const leads = new Uint8Array(this.size);
    this.kept.fill(0);
    this.beneath.fill(0);
    this.kept[0] = 1;
    for (let node = this.size - 1; node > 0; node--) {
      if (!leads[node] && !this.isOf(node, outcome)) continue;
      const parent = this.data.parent[node];
      leads[parent] = 1;
      if (this.depth[node] > depth) continue;
      this.kept[node] = 1;
      this.beneath[parent] += this.beneath[node] + 1;
    }
    this.fold();
  }

  isOf(node, outcome) {
    const kind = this.kind(node);
    if (outcome === "all" || kind === outcome) return true;
    return outcome === "other" && kind !== "right" && kind !== "wrong" && this.children[node].length === 0;
  }

  /** Open the chosen path, then branches by their visits, until there is enough to see. */
  fold() {
    this.isOpen.fill(0);
    const rank = node => (this.chosen.has(node) ? Infinity : this.data.visits[node]);
    const waiting = [0];
    for (let shown = 1; waiting.length > 0; ) {
      const best = waiting.reduce((best, node, at) => (rank(node) > rank(waiting[best]) ? at : best), 0);
      const [node] = waiting.splice(best, 1);
      if (shown >= OPENED && rank(node) < Infinity) break;
      const below = this.keptChildren(node);
      if (below.length === 0) continue;
      shown += below.length;
      this.isOpen[node] = 1;
      waiting.push(...below);
    }
  }

  openAll() {
    this.isOpen.fill(1);
  }

  /** Open what lies above `node`, so that it is shown. Returns whether it can be. */
  reveal(node) {
    if (!this.kept[node]) return false;
    for (const above of this.lineage(node).slice(0, -1)) this.isOpen[above] = 1;
    return true;
  }

  toggle(node) {
    this.isOpen[node] ^= 1;
  }

  keptChildren(node) {
    return this.children[node].filter(child => this.kept[child]);
  }

  /** What is drawn beneath a node. */
  shownChildren(node) {
    return this.isOpen[node] ? this.keptChildren(node) : [];
  }

  /** How many nodes a folded branch hides. */
  hidden(node) {
    return this.isOpen[node] ? 0 : this.beneath[node];
  }

  /** Nodes whose text contains `words`, in any case, in the order of a reader: depth first. */
  find(words) {
    const wanted = words.toLowerCase();
    const found = [];
    const waiting = [0];
    while (waiting.length > 0) {
      const node = waiting.pop();
      if (this.kept[node] && node > 0 && this.data.text[node].toLowerCase().includes(wanted)) found.push(node);
      for (let at = this.children[node].length - 1; at >= 0; at--) waiting.push(this.children[node][at]);
    }
    return found;
  }

  /** The node that an arrow key leads to: along the way, or among what is shown at the same depth. */
  neighbour(node, key) {
    if (key === "ArrowLeft") return Math.max(0, this.data.parent[node]);
    if (key === "ArrowRight") {
      const below = this.keptChildren(node);
      return below.find(child => this.chosen.has(child)) ?? below[0] ?? node;
    }
    const row = this.shown().filter(one => this.depth[one] === this.depth[node]);
    const at = row.indexOf(node) + (key === "ArrowDown" ? 1 : -1);
    return row[Math.min(row.length - 1, Math.max(0, at))] ?? node;
  }

  /** All nodes that are drawn, depth first. */
  shown() {
    const found = [];
    const waiting = [0];
    while (waiting.length > 0) {
      const node = waiting.pop();
      found.push(node);
      const below = this.shownChildren(node);
      for (let at = below.length - 1; at >= 0; at--) waiting.push(below[at]);
    }
    return found;
  }

  /** For each node the one that has the same steps in `other`; -1 where there is none. */
  matched(other) {
    const match = new Int32Array(this.size).fill(-1);
    match[0] = 0;
    for (let node = 1; node < this.size; node++) {
      const above = match[this.data.parent[node]];
      if (above < 0) continue;
      const same = other.children[above].find(one => other.data.text[one] === this.data.text[node]);
      if (same !== undefined) match[node] = same;
    }
    return match;
  }
}
