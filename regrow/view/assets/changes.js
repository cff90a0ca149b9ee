"use strict";

/** What became of a problem between two of its trees: a line of counts, and the steps whose value moved the most. */
function changes(before, after, match, onSelect) {
  const kept = match.filter(node => node > 0).length;
  const share = ({data}) => make("b", null, `${whole(solutions(data).right)} of ${whole(solutions(data).all)}`);
  const counts = [
    make("span", null, "solutions right: ", share(before), " → ", share(after)),
    make("span", null, make("b", null, whole(kept)), " steps in both"),
    make("span", null, make("b", null, whole(before.size - 1 - kept)), " − gone"),
    make("span", null, make("b", null, whole(after.size - 1 - kept)), " + new"),
  ];
  return [make("p", {className: "counts"}, ...counts), ...moved(before, after, match, onSelect)];
}

function moved(before, after, match, onSelect) {
  const steps = [];
  match.forEach((twin, node) => {
    const [was, is] = [before.data.value[node], twin > 0 ? after.data.value[twin] : null];
    if (twin > 0 && was !== null && is !== null && was !== is) steps.push({node, was, is});
  });
  if (steps.length === 0) return [];
  const most = d3.sort(steps, one => -Math.abs(one.is - one.was)).slice(0, 3);
  const rows = most.map(({node, was, is}) =>
    make(
      "button",
      {type: "button", className: "row", onclick: () => onSelect(node)},
      make("span", {className: "words"}, clipped(before.data.text[node], 60) || "(empty step)"),
      make("span", {className: "number"}, `${d3.format(".2f")(was)} → ${d3.format(".2f")(is)}`),
    ),
  );
  return [make("div", {className: "moved"}, make("h4", null, "Values that moved the most"), ...rows)];
}
