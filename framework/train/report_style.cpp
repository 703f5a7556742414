// report_style.cpp - the style sheet. Two colours carry meaning, training and held-out data; everything else is ink.
#include "train/report_style.hpp"

namespace rgm::report {

const char* const style = R"css(
:root { color-scheme: light dark; --paper: #faf8f4; --card: #fffefb; --ink: #211f1c; --soft: #746f67; --hair: #e5e0d6;
  --train: #17696b; --held: #c2571b; --good: #3d7a3f; --warn: #a8461b; --tint: #f1ede4;
  --p1: #8fb3a8; --p2: #d9a441; --p3: #b8735a; --p4: #8c86a8; --p5: #b6b0a2;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "URW Palladio L", "P052", Charter, Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --card: #1c1f23; --ink: #e8e4dc; --soft: #9c978d;
  --hair: #30343a; --train: #5fc3bb; --held: #f09a5f; --good: #8cc48a; --warn: #f0a27c; --tint: #22262b;
  --p1: #4d7a72; --p2: #c2943f; --p3: #b07159; --p4: #7d7899; --p5: #6b675f; } }
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans); -webkit-text-size-adjust: 100%; }
body { max-width: 62rem; margin: 0 auto; padding: 4.5rem 1.75rem 5rem; }
h1, h2, .lead, .card b { font-family: var(--serif); font-weight: 500; }
h1 { font-size: clamp(2.3rem, 7vw, 3.6rem); line-height: 1.05; letter-spacing: -.018em; margin: .35rem 0 1.1rem;
  overflow-wrap: anywhere; }
.over { font-size: .74rem; letter-spacing: .14em; text-transform: uppercase; color: var(--soft); margin: 0; }
.lead { font-size: clamp(1.15rem, 2.6vw, 1.42rem); line-height: 1.45; max-width: 46rem; margin: 0; }
.lead b { font-weight: 600; font-variant-numeric: lining-nums; white-space: nowrap; }
.facts { color: var(--soft); font-size: .875rem; margin: 1.1rem 0 0; }
.facts span, .model span { display: inline-block; margin-right: 1.5em; }
.soft, .note { color: var(--soft); }
.note { font-size: .875rem; margin: 0 0 .6rem; }
a { color: inherit; text-decoration-color: var(--hair); text-underline-offset: .2em; }
a:hover { text-decoration-color: currentColor; }
.cards { display: flex; flex-wrap: wrap; gap: 1px; margin: 2.6rem 0 0;
  background: var(--hair); border: 1px solid var(--hair); border-radius: 10px; overflow: hidden; }
.card { background: var(--card); padding: 1.05rem 1.25rem .95rem; flex: 1 1 22%; }
.card span, .card small { display: block; color: var(--soft); font-size: .8rem; line-height: 1.35; }
.card b { display: block; font-size: 1.75rem; line-height: 1.25; letter-spacing: -.01em; white-space: nowrap;
  font-variant-numeric: lining-nums tabular-nums; }
.card.first b { color: var(--held); }
h2 { font-size: 1.95rem; letter-spacing: -.01em; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h3 { font-size: .74rem; letter-spacing: .14em; text-transform: uppercase; color: var(--soft); font-weight: 600;
  margin: 0 0 .9rem; }
article { margin-top: 4.2rem; padding-top: 2.2rem; border-top: 1px solid var(--hair); }
.pill { font: 500 .78rem/1 var(--sans); letter-spacing: .01em; vertical-align: .32em; padding: .3em .65em;
  border-radius: 99px; background: var(--tint); color: var(--soft); white-space: nowrap; }
.pill.warn { color: var(--warn); box-shadow: inset 0 0 0 1px currentColor; background: none; }
.model { color: var(--soft); margin: 0; font-size: .95rem; }
.block { margin-top: 2.9rem; }
figure { margin: 0; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; align-items: baseline; gap: .15rem 1.3rem; font-size: .84rem;
  margin-bottom: .75rem; }
figcaption b { font-variant-numeric: tabular-nums; font-weight: 600; }
.chart .title { color: var(--soft); margin-right: auto; }
.chart .title::first-letter { text-transform: uppercase; }
.chart.prominent { margin: 2rem 0 2.4rem; }
.chart.prominent .title { font: 500 1.15rem var(--serif); color: var(--ink); }
.key::before { content: ""; display: inline-block; vertical-align: .24em; margin-right: .5em; }
.key.line::before { width: 1.15em; height: 2.5px; border-radius: 2px; background: var(--train); }
.key.dot::before { width: .55em; height: .55em; border-radius: 50%; background: var(--held); vertical-align: .06em; }
.plot { position: relative; height: 5.6rem; margin: 0 .4rem 1.7rem 3rem; }
.prominent .plot { height: clamp(14rem, 40vw, 21rem); }
.plot svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible;
  clip-path: inset(-5px -10px); }
.plot path { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round; }
.plot .grid { stroke: var(--hair); stroke-width: 1; stroke-linecap: butt; }
.plot .line { stroke: var(--train); stroke-width: 1.5; }
.prominent .plot .line { stroke-width: 2.4; }
.plot .raw { stroke: var(--train); stroke-width: 1; opacity: .28; }
.plot .between { stroke: var(--held); stroke-width: 1.3; opacity: .55; }
.plot .dot { stroke: var(--held); stroke-width: 8; }
.plot .dot.trained { stroke: var(--train); }
.grid .plot .dot { stroke-width: 5; }
.plot i { position: absolute; font: normal .72rem/1 var(--sans); color: var(--soft); white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.plot i.y { right: 100%; padding-right: .6rem; transform: translateY(50%); }
.plot i.x { top: 100%; padding-top: .6rem; transform: translateX(-50%); }
.plot .interval { stroke: var(--held); stroke-width: 1.4; opacity: .6; }
.plot i.name { color: var(--ink); padding: 0 .8em; transform: translateY(50%); font-size: .78rem; }
.spots .plot { margin-bottom: 2.4rem; }
.plot i.x.last { transform: translateX(-75%); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 16.5rem), 1fr)); gap: 1.6rem 2.2rem; }
pre { margin: 0; padding: 1.15rem 1.3rem; background: var(--card); border: 1px solid var(--hair); border-radius: 10px;
  font: .86rem/1.62 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate;
  tab-size: 4; max-height: 32rem; overflow-y: auto; }
pre + pre { margin-top: .7rem; }
.prompt { color: var(--train); font-weight: 600; }
details { margin-top: .8rem; font-size: .9rem; }
summary { color: var(--soft); cursor: pointer; margin-bottom: .5rem; }
.columns { columns: 3 15rem; column-gap: 2.6rem; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; line-height: 1.4; margin: 0 0 1.3rem;
  break-inside: avoid; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; font-size: .9rem; }
caption::first-letter { text-transform: uppercase; }
caption em { color: var(--train); font-style: normal; }
th, td { padding: .3rem 0; border-top: 1px solid var(--hair); text-align: left; vertical-align: baseline; }
th { color: var(--soft); font-weight: 400; padding-right: 1rem; }
td { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.wide td, .wide th { white-space: nowrap; padding-right: .7rem; }
.columns th.num { text-align: right; padding-right: 0; }
.samples .note { margin: .3rem .2rem .9rem; }
.wide table { font-size: .82rem; }
.wide td:last-child, .wide th:last-child { padding-right: 0; }
.wide thead th { font-size: .76rem; border: 0; white-space: normal; vertical-align: bottom; }
.wide .num { text-align: right; }
.wide td:not(.num) { text-align: left; }
.files th { white-space: normal; overflow-wrap: anywhere; }
.files td { white-space: nowrap; }
.pairs div { display: flex; justify-content: space-between; gap: 1rem; border-top: 1px solid var(--hair);
  padding: .3rem 0; font-size: .86rem; line-height: 1.4; break-inside: avoid; }
.pairs span { color: var(--soft); }
.pairs b { font-weight: 400; text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
code { font: .92em var(--mono); }
.hashes td { overflow-wrap: anywhere; font-size: .8rem; }
.bar { display: flex; height: .85rem; border-radius: 99px; overflow: hidden; gap: 2px; background: var(--paper); }
.bar i { min-width: 3px; }
.part0 { background: var(--p4); } .part1 { background: var(--train); } .part2 { background: var(--held); }
.part3 { background: var(--p2); } .part4 { background: var(--p1); } .part5 { background: var(--p5); }
.keys { list-style: none; display: flex; flex-wrap: wrap; gap: .35rem 1.7rem; padding: 0; margin: .9rem 0 0;
  font-size: .875rem; }
.keys i { display: inline-block; width: .65em; height: .65em; border-radius: 3px; margin-right: .5em; }
.keys b { font-weight: 600; font-variant-numeric: tabular-nums; }
footer { margin-top: 4.5rem; padding-top: 1.2rem; border-top: 1px solid var(--hair); color: var(--soft);
  font-size: .82rem; }
@media (max-width: 40rem) { body { padding: 2.2rem 1.1rem 3rem; } .cards { margin-top: 1.8rem; }
  .card { flex-basis: 40%; padding: .9rem 1rem .8rem; } .card b { font-size: 1.45rem; } .plot { margin-left: 2.9rem; }
  .chart.prominent .title { flex-basis: 100%; } article { margin-top: 3rem; padding-top: 1.7rem; } }
@media print { html { background: none; } body { max-width: none; padding: 0; } pre { max-height: none; }
  figure, table, pre { break-inside: avoid; } }
)css";

}  // namespace rgm::report
