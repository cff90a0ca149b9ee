"use strict";

const ROW = 27;
const GAP = 46;
const LABEL = 38;
const READABLE = 0.5;
const SEEN = 0.15;
const MARGIN = 34;

/** A tree on a canvas, left to right. Only what lies in sight is drawn. */
class Pane {
  /** `onSelect(node)` is told of the user's choices. */
  constructor(canvas, tree, onSelect) {
    Object.assign(this, {canvas, tree, onSelect, selected: null, only: null, sign: ""});
    this.hits = new Set();
    this.context = canvas.getContext("2d");
    this.transform = d3.zoomIdentity;
    this.zoom = d3.zoom().scaleExtent([SEEN / 2, 4]).clickDistance(5).on("zoom", event => {
      this.transform = event.transform;
      this.draw();
    });
    d3.select(canvas).call(this.zoom).on("dblclick.zoom", null);
    canvas.addEventListener("click", event => this.click(event));
    canvas.addEventListener("pointermove", event => {
      canvas.style.cursor = this.at(event) ? "pointer" : "grab";
    });
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(canvas);
  }

  close() {
    this.watch.disconnect();
    cancelAnimationFrame(this.frame);
  }

  resize() {
    const {clientWidth: width, clientHeight: height} = this.canvas;
    const isFirst = this.width === undefined;
    Object.assign(this, {width, height, density: devicePixelRatio || 1});
    this.canvas.width = width * this.density;
    this.canvas.height = height * this.density;
    this.paint();
    if (isFirst) this.home();
  }

  /** Place what is shown: rows by d3's tidy tree, columns as wide as their longest label. */
  layout() {
    const {tree, context} = this;
    const root = d3.hierarchy(0, node => tree.shownChildren(node));
    d3.tree().nodeSize([ROW, 1]).separation((a, b) => (a.parent === b.parent ? 1 : 1.25))(root);
    this.nodes = root.descendants();
    const widths = [];
    for (const place of this.nodes) {
      context.font = this.font(tree.chosen.has(place.data));
      place.radius = this.radius(place.data);
      place.label = this.label(place.data);
      place.end = place.radius + 7 + context.measureText(place.label).width;
      place.row = place.x;
      widths[place.depth] = Math.max(widths[place.depth] ?? 0, place.end + this.extra(place.data));
    }
    const columns = d3.cumsum(widths, width => width + GAP);
    for (const place of this.nodes) place.column = place.depth > 0 ? columns[place.depth - 1] : 0;
    this.places = new Map(this.nodes.map(place => [place.data, place]));
  }

  label(node) {
    const text = node === 0 ? "question" : clipped(this.tree.data.text[node], LABEL) || "(empty step)";
    return this.only?.has(node) ? `${this.sign} ${text}` : text;
  }

  radius(node) {
    const share = Math.sqrt(this.tree.data.visits[node] / this.tree.mostVisits);
    return this.tree.kind(node) === "step" ? 3.5 + 6.5 * share : 7 + 3 * share;
  }

  /** Room for what stands behind a label: the value, a star, a count. */
  extra(node) {
    const {tree} = this;
    const isValued = tree.data[this.measure][node] !== null;
    return (isValued ? 36 : 4) + (tree.hidden(node) > 0 ? 44 : 0) + (node > 0 && node === tree.data.answer ? 18 : 0);
  }

  font(isBold) {
    return `${isBold ? 600 : 400} 13px ${look.family}`;
  }

  /** Lay out and draw anew, the view as it is. */
  update() {
    this.layout();
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    if (!this.nodes || !this.width) return;
    const {context, transform, density} = this;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.translate(transform.x, transform.y);
    context.scale(transform.k, transform.k);
    const [left, top] = transform.invert([-40, -40]);
    const [right, bottom] = transform.invert([this.width + 40, this.height + 40]);
    const isInSight = place => place.row > top && place.row < bottom && place.column < right && place.column + place.end > left;
    for (const isChosen of [false, true]) {
      for (const place of this.nodes) {
        const from = place.parent;
        if (!from || this.tree.chosen.has(place.data) !== isChosen) continue;
        const [above, below] = from.row < place.row ? [from.row, place.row] : [place.row, from.row];
        if (below > top && above < bottom && from.column < right && place.column > left) this.link(from, place, isChosen);
      }
    }
    for (const place of this.nodes) if (isInSight(place)) this.node(place);
    if (transform.k >= READABLE * 0.8) for (const place of this.nodes) if (isInSight(place)) this.words(place);
    context.globalAlpha = 1;
  }

  link(from, to, isChosen) {
    const {context, tree} = this;
    const start =
      from.column + (this.transform.k >= READABLE * 0.8 ? from.end + this.extra(from.data) + 4 : from.radius);
    const end = to.column - to.radius - 1;
    const bend = Math.max(start, end - GAP);
    context.globalAlpha = this.alpha(to.data);
    context.strokeStyle = look.colour(isChosen ? "--accent" : "--link");
    context.lineWidth = (isChosen ? 1.5 : 1) + 4 * Math.sqrt(tree.data.visits[to.data] / tree.mostVisits);
    context.setLineDash(this.only?.has(to.data) ? [5, 4] : []);
    context.beginPath();
    context.moveTo(start, from.row);
    context.lineTo(bend, from.row);
    context.bezierCurveTo((bend + end) / 2, from.row, (bend + end) / 2, to.row, end, to.row);
    context.stroke();
    context.setLineDash([]);
  }

  node(place) {
    const {context, tree} = this;
    const {data: node, column, row, radius} = place;
    const value = tree.data[this.measure][node];
    const kind = tree.kind(node);
    context.globalAlpha = this.alpha(node);
    if (node === this.selected) {
      context.fillStyle = look.colour("--glow");
      context.beginPath();
      context.arc(column, row, radius + 8, 0, 2 * Math.PI);
      context.fill();
    }
    const path = Pane.shape(kind, column, row, radius);
    context.fillStyle = value === null ? look.colour("--card") : this.scale(value);
    context.fill(path);
    context.lineWidth = kind === "step" ? 1.25 : 2;
    context.strokeStyle = look.colour(VERDICTS[kind]?.colour ?? (tree.chosen.has(node) ? "--accent" : "--soft"));
    context.setLineDash(value === null && kind === "step" ? [2.5, 2] : []);
    context.stroke(path);
    context.setLineDash([]);
    if (kind !== "step") this.mark(place, VERDICTS[kind].mark, value);
  }

  /** The verdict inside a leaf, in ink or paper, whichever is seen on its colour. */
  mark({column, row}, mark, value) {
    const {context} = this;
    const isDark = value !== null && d3.lab(this.scale(value)).l < 60;
    context.fillStyle = value === null ? look.colour("--ink") : isDark ? "#fff" : "#111";
    context.font = `700 11px ${look.family}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(mark, column, row + 0.5);
    context.textAlign = "left";
  }

  /** Right answers are round, wrong ones stand on a corner, others are square. */
  static shape(kind, x, y, radius) {
    const path = new Path2D();
    if (kind === "step" || kind === "right") path.arc(x, y, radius, 0, 2 * Math.PI);
    else if (kind === "wrong") {
      const far = radius * 1.25;
      path.moveTo(x, y - far);
      for (const [dx, dy] of [[far, 0], [0, far], [-far, 0]]) path.lineTo(x + dx, y + dy);
      path.closePath();
    } else path.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
    return path;
  }

  words(place) {
    const {context, tree} = this;
    const {data: node, column, row, radius, label, end} = place;
    const isChosen = tree.chosen.has(node);
    context.globalAlpha = this.alpha(node);
    context.textBaseline = "middle";
    context.direction = "ltr";
    context.font = this.font(isChosen);
    if (this.hits.has(node)) {
      context.fillStyle = look.colour("--hit");
      context.fillRect(column + radius + 4, row - 10, end - radius, 20);
    }
    context.fillStyle = look.colour(node === 0 ? "--soft" : "--ink");
    context.fillText(label, column + radius + 7, row + 0.5);
    let x = column + end + 8;
    context.font = `400 11px ${look.family}`;
    const value = tree.data[this.measure][node];
    if (value !== null) {
      context.fillStyle = look.colour("--soft");
      context.fillText(d3.format(".2f")(value), x, row + 1);
      x += 28;
    }
    if (node === tree.data.answer && node > 0) {
      context.fillStyle = look.colour("--accent");
      context.fillText("★", x, row + 0.5);
      x += 16;
    }
    if (tree.hidden(node) > 0) this.pill(x, row, `+${whole(tree.hidden(node))}`);
  }

  pill(x, row, text) {
    const {context} = this;
    const width = context.measureText(text).width + 12;
    context.fillStyle = look.colour("--line");
    context.beginPath();
    context.roundRect(x, row - 9, width, 18, 9);
    context.fill();
    context.fillStyle = look.colour("--ink");
    context.fillText(text, x + 6, row + 0.5);
  }

  alpha(node) {
    return this.hits.size > 0 && !this.hits.has(node) && node !== this.selected ? 0.4 : 1;
  }

  /** The place under a pointer; a finger need not hit the dot itself. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = this.transform.invert([event.clientX - box.left, event.clientY - box.top]);
    const reach = (event.pointerType === "touch" ? 20 : 6) / this.transform.k;
    const behind = place => (this.transform.k >= READABLE * 0.8 ? place.end + this.extra(place.data) - 10 : place.radius);
    const isUnder = place => x > place.column - place.radius - reach && x < place.column + behind(place) + reach;
    const near = (this.nodes ?? []).filter(place => isUnder(place) && Math.abs(y - place.row) < Math.max(ROW / 2, reach));
    return d3.least(near, place => Math.abs(y - place.row));
  }

  /** A tap selects; on a folded branch, or on what is selected, it opens or folds as well. */
  click(event) {
    const place = this.at(event);
    this.canvas.focus({preventScroll: true});
    if (!place) return;
    if (this.tree.hidden(place.data) > 0 || place.data === this.selected) this.tree.toggle(place.data);
    this.onSelect(place.data);
  }

  /** Mark a node, opening what is above it, and bring it into sight; what a filter hides is not marked. */
  select(node) {
    this.selected = this.tree.reveal(node) ? node : null;
    this.update();
    if (this.selected !== null) this.bring(this.selected);
  }

  bring(node) {
    const place = this.places.get(node);
    if (!place || !this.width) return;
    const [x, y] = this.transform.apply([place.column, place.row]);
    const reach = Math.min(this.width * 0.6, (place.end + 60) * this.transform.k);
    const dx = x < MARGIN ? MARGIN - x : Math.min(0, this.width - MARGIN - reach - x);
    const dy = y < MARGIN || y > this.height - MARGIN ? this.height / 2 - y : 0;
    if (dx || dy) this.go(d3.zoomIdentity.translate(this.transform.x + dx, this.transform.y + dy).scale(this.transform.k));
  }

  /** The whole tree where it can be read so, else its beginning. */
  home() {
    if (this.fitting().k >= READABLE) return this.fit();
    this.go(d3.zoomIdentity.translate(MARGIN, this.height / 2).scale(Math.max(READABLE, 0.8)));
    if (this.selected !== null) this.bring(this.selected);
  }

  /** The whole tree, but no smaller than it can be seen; then around what is selected. */
  fit() {
    const whole = this.fitting();
    if (whole.k >= SEEN) return this.go(whole);
    this.go(d3.zoomIdentity.translate(MARGIN, this.height / 2 - SEEN * this.places.get(this.selected ?? 0).row).scale(SEEN));
  }

  fitting() {
    const [top, bottom] = d3.extent(this.nodes, place => place.row);
    const wide = d3.max(this.nodes, place => place.column + place.end + this.extra(place.data));
    const k = Math.min(1.25, (this.width - 2 * MARGIN) / wide, (this.height - 2 * MARGIN) / (bottom - top + ROW));
    const x = Math.max(MARGIN, (this.width - k * wide) / 2);
    return d3.zoomIdentity.translate(x, this.height / 2 - (k * (top + bottom)) / 2).scale(k);
  }

  go(transform) {
    d3.select(this.canvas).call(this.zoom.transform, transform);
  }

  by(factor) {
    d3.select(this.canvas).call(this.zoom.scaleBy, factor);
  }
}
