"use strict";

/** The curves of a run, in the colours of the page. */
function drawCurves() {
  const variable = /var\((--[a-z0-9-]+)\)/g;
  const {data, layout} = JSON.parse(JSON.stringify(given.figure).replace(variable, (_, name) => look.colour(name)));
  const margin = {l: 16, r: 16, t: innerWidth < 640 ? 96 : 72, b: 16};
  Plotly.react("curves", data, {...layout, margin, title: {...layout.title, pad: {l: 16, t: 14}}}, {responsive: true, displayModeBar: false});
}

document.getElementById("curves").hidden = false;
document.addEventListener("theme", drawCurves);
drawCurves();
