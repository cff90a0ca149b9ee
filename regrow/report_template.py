"""The page that `report_html` fills: one file, no network, light and dark, phone to desktop."""

from __future__ import annotations

from string import Template

PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root {
  color-scheme: light dark;
  --page: #fbfbf9; --card: #ffffff; --ink: #1d2125; --soft: #646b73; --line: #e3e4e0;
  --series-0: #0b6bb5; --series-1: #cc5c0a; --series-2: #0a8a63; --series-3: #8250c4; --series-4: #b3831b;
  --series-5: #b83a6b; --series-6: #0f7f8c; --series-7: #6b7280;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1c2024; --ink: #e7e9ea; --soft: #9aa2aa; --line: #30363c;
    --series-0: #6aaef0; --series-1: #f2955c; --series-2: #63c294; --series-3: #b99af0; --series-4: #e0b957;
    --series-5: #ee86ad; --series-6: #55c3cf; --series-7: #9aa2aa;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: clamp(1rem, 4vw, 3rem); max-width: 66rem;
  background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif;
}
h1 { margin: 0 0 .3rem; font-size: 1.7rem; line-height: 1.2; letter-spacing: -.015em; }
h2 { margin: 0 0 .2rem; font-size: 1.1rem; }
p { margin: 0 0 .9rem; color: var(--soft); font-size: .9rem; max-width: 46rem; }
section {
  margin-top: 1.2rem; padding: 1.2rem; border: 1px solid var(--line); border-radius: 10px; background: var(--card);
}
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .8rem 0 0; font-size: .9rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: .85rem/1.5 ui-monospace, "SF Mono", Consolas, monospace; }
pre { overflow-x: auto; margin: .8rem 0 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .6rem; text-align: right; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: .85rem; vertical-align: bottom; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th:last-child, td:last-child { padding-right: 0; }
tbody th { font-weight: 500; }
small { display: block; color: var(--soft); font-size: .76rem; font-weight: 400; white-space: nowrap; }
thead small, tbody th small { white-space: normal; max-width: 17rem; }
td b { font-weight: 600; }
.rang { color: var(--series-1); }
ul { margin: 0 0 .9rem; padding-left: 1.1rem; font-size: .9rem; }
.plot { height: 22rem; margin-top: 1.2rem; }
.pair { display: grid; grid-template-columns: 3fr 2fr; gap: 1.2rem; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 44rem) {
  section { padding: .9rem; }
  .pair { grid-template-columns: 1fr; }
  .plot { height: 19rem; }
  th, td { padding: .4rem .2rem; font-size: .84rem; }
  thead th { font-size: .72rem; }
  small { font-size: .66rem; }
}
</style>
<script>$plotly</script>
</head>
<body>
<header>
<h1>$title</h1>
<dl>$facts</dl>
</header>
$sections
<script>
const figures = $figures;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const variable = /var\\((--[a-z0-9-]+)\\)/g;
const themed = value => JSON.parse(JSON.stringify(value).replace(variable, (_, name) => colour(name)));
function draw() {
  for (const [id, figure] of Object.entries(figures)) {
    const {data, layout} = themed(figure);
    Plotly.react(id, data, layout, {responsive: true, displayModeBar: false});
  }
}
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
</script>
</body>
</html>
""")
