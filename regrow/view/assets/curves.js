"use strict";

/** The curves of a run, in the colours of the page. */
function drawCurves() {
  const variable = /var\((--[a-z0-9-]+)\)/g;
  const {data, layout} = JSON.parse(JSON.stringify(given.figure).replace(variable, (_, name) => look.colour(name)));
  Plotly.react("curves", data, layout, {responsive: true, displayModeBar: false});
}

document.getElementById("curves").hidden = false;
document.addEventListener("theme", drawCurves);
drawCurves();
