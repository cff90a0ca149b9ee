"use strict";

const VERDICTS = {
  right: {mark: "✓", name: "right", colour: "--right"},
  wrong: {mark: "✕", name: "wrong", colour: "--wrong"},
  other: {mark: "?", name: "other", colour: "--soft"},
  solution: {mark: "", name: "not judged", colour: "--soft"},
};

const MEASURES = {
  value: ["PRM value", "what the scorer said of the steps so far"],
  soft: ["share right", "share of correct solutions among those drawn through the step"],
  q: ["q", "evidence a visit: value sum / visits"],
  prior: ["prior", "probability of the step under the policy"],
};

/** Colours of the page as a canvas takes them, asked for once a theme. */
const look = {
  known: new Map(),
  family: getComputedStyle(document.body).fontFamily,
  probe: document.body.appendChild(Object.assign(document.createElement("i"), {hidden: true})),

  colour(name) {
    if (!this.known.has(name)) {
      this.probe.style.color = `var(${name})`;
      this.known.set(name, getComputedStyle(this.probe).color);
    }
    return this.known.get(name);
  },

  /** From low to high over the values that trees have: [0, 1], or [-1, 1], or as far as they reach. */
  scale(trees, measure) {
    const values = trees.flatMap(tree => tree.data[measure].filter(value => value !== null));
    const least = d3.min(values) ?? 0;
    const most = d3.max(values) ?? 1;
    const low = least >= 0 ? 0 : Math.min(-1, least);
    const high = Math.max(1, most);
    const range = ["--low", "--middle", "--high"].map(name => this.colour(name));
    return d3.scaleLinear([low, (low + high) / 2, high], range).interpolate(d3.interpolateLab).clamp(true);
  },
};

/** An element with properties, and children that are elements or text; text never becomes markup. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

const whole = d3.format(",");

/** A count as it is, another number to three digits. */
function decimal(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? whole(value) : d3.format(".3~r")(value);
}

/** One line of at most `most` characters. */
function clipped(text, most) {
  const line = text.slice(0, 4 * most).replace(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : line;
}
