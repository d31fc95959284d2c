-- style.lua: how the report looks: one sheet for screen and paper, light and dark. Colours are variables, which the
-- drawings use as well; what a colour says a sign and a word say, too. Texts in drawings grow on narrow screens,
-- because drawings shrink there: the margins of chart.lua leave room for that.
local M = {}

-- name, light, dark. Texts stand at 4.5 : 1 or more on both grounds (`bg`, `card`).
local colours = {
  { 'bg', '#f7f7f5', '#101317' }, { 'card', '#ffffff', '#181c22' }, { 'soft', '#eceeed', '#232931' },
  { 'fg', '#1b1f24', '#e8ebef' }, { 'mute', '#545d68', '#a4aebb' }, { 'rule', '#d3d7dc', '#363e49' },
  { 'link', '#0a58a8', '#7cb8ff' },
  { 'safe', '#00695c', '#4fd1bd' }, { 'harm', '#b3261e', '#ff8a80' }, { 'open', '#865700', '#f2b84b' },
  { 'none', '#5f6874', '#9aa5b1' },
  { 'c1', '#0063a6', '#6cb4f2' }, { 'c2', '#b54a00', '#ff9e5e' }, { 'c3', '#007a5a', '#45cfa2' },
  { 'c4', '#9b3f78', '#f0a3cf' }, { 'c5', '#6a4bb0', '#b9a2f5' }, { 'c6', '#7a5c00', '#e3c04a' },
  { 'heat', '#0063a6', '#6cb4f2' },
}

local function variables(k)
  local parts = {}
  for i, row in ipairs(colours) do parts[i] = ('--%s:%s'):format(row[1], row[k]) end
  return ':root{' .. table.concat(parts, ';') .. '}'
end

local sheet = [[
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--bg);color:var(--fg);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif}
main,header,footer{max-width:72rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2.5rem}
h1,h2,h3,p.line{text-wrap:balance}
h1{font-size:clamp(1.6rem,1.1rem + 2.2vw,2.5rem);line-height:1.15;letter-spacing:-.02em;margin:.2rem 0 1.25rem}
h2{font-size:1.5rem;line-height:1.25;letter-spacing:-.01em;margin:0 0 .75rem}
h3{font-size:1.0625rem;line-height:1.35;margin:2rem 0 .35rem}
h1,h2,h3,p,li,dd,td,th,figcaption{overflow-wrap:break-word}
p{margin:.5rem 0;max-width:68ch}
.eyebrow,.note,figcaption,caption,footer{color:var(--mute);font-size:.875rem;line-height:1.5}
.eyebrow{margin:0;overflow-wrap:anywhere}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible,audio:focus-visible{outline:3px solid var(--link);
outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-99rem;background:var(--card);padding:.5rem 1rem;z-index:1}
.skip:focus{left:1rem;top:1rem}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.875em;overflow-wrap:anywhere}
pre{background:var(--soft);padding:.75rem 1rem;border-radius:.5rem;white-space:pre-wrap;overflow-wrap:anywhere;
margin:.5rem 0}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;padding:0;margin:1.25rem 0 0}
nav a{display:inline-block;padding:.3rem 0}
section{background:var(--card);border:1px solid var(--rule);border-radius:.875rem;padding:1.75rem;margin:1.5rem 0}
.lines{list-style:none;margin:0;padding:0}
.lines li{background:var(--card);border:1px solid var(--rule);border-left:.4rem solid var(--none);
border-radius:.625rem;padding:.85rem 1.1rem;margin:0 0 .6rem;font-size:clamp(1.0625rem,1rem + .45vw,1.3rem);
line-height:1.4}
.lines li.v-safe{border-left-color:var(--safe)}
.lines li.v-harmful{border-left-color:var(--harm)}
.lines li.v-undecided{border-left-color:var(--open)}
.lines a{display:block;font-size:.875rem;font-weight:600;letter-spacing:.01em;width:fit-content;
max-width:100%;overflow-wrap:anywhere}
.many li{padding:.45rem .9rem;margin:0 0 .35rem;font-size:1rem}
.notices{margin:.75rem 0 0;padding:0;list-style:none}
.notices li{padding-left:1.4rem;position:relative;margin:.3rem 0;max-width:80ch}
.notices li::before{content:"!";position:absolute;left:.3rem;font-weight:700;color:var(--open)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.75rem;margin:1rem 0}
.tiles div{background:var(--soft);border-radius:.625rem;padding:.7rem .9rem}
.tiles dt{font-size:.8125rem;color:var(--mute)}
.tiles dd{margin:.1rem 0 0;font-size:1.25rem;font-weight:600;line-height:1.3;font-variant-numeric:tabular-nums}
.tiles dd small{display:block;font-size:.8125rem;font-weight:400;color:var(--mute)}
.tight th,.tight td{padding-right:.55rem;font-size:.8125rem}
.tight th:last-child,.tight td:last-child{padding-right:0}
.two>div>:first-child{margin-top:.5rem}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:.5rem 2rem;align-items:start}
@media (min-width:60rem){.two.uneven{grid-template-columns:4fr 5fr}}
figure{margin:1rem 0 0;min-width:0}
figure h3{margin:0 0 .35rem}
figcaption{max-width:62ch;margin-top:.25rem}
.box{overflow-x:auto;margin:.75rem 0;max-width:100%}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9375rem;line-height:1.35}
caption{text-align:left;padding:0 0 .4rem;max-width:min(80ch,84vw)}
th,td{padding:.4rem .75rem .4rem 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule);
vertical-align:baseline}
thead th{font-size:.8125rem;font-weight:600;color:var(--mute);border-bottom:2px solid var(--rule);
vertical-align:bottom}
th.l,td.l{text-align:left}
tbody th{font-weight:600}
.wide td,.wide th{white-space:normal}
.wide th{width:12rem}
.verdict{font-weight:600;white-space:nowrap}
.verdict svg{width:.85em;height:.85em;vertical-align:-.06em;margin-right:.4em}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.v-safe{color:var(--safe)}.v-harmful{color:var(--harm)}.v-undecided{color:var(--open)}.v-none{color:var(--none)}
.lines li.v-safe,.lines li.v-harmful,.lines li.v-undecided,.lines li.v-none{color:var(--fg)}
summary{cursor:pointer;padding:.35rem 0;font-weight:600;color:var(--link)}
details{margin:.75rem 0}
dl.terms dt{font-weight:600;margin-top:.75rem}
dl.terms dd{margin:.1rem 0 0;max-width:68ch}
.minis{display:grid;
grid-template-columns:repeat(auto-fill,minmax(min(9.5rem,44%),1fr));gap:.75rem 1rem;margin-top:.75rem}
.minis figure{margin:0}
.minis figcaption{margin:0;color:var(--fg);font-weight:600;font-size:.8125rem}
svg.chart{display:block;width:100%;max-width:40rem;height:auto;overflow:visible;font-family:inherit}
svg.chart text{font-size:13px;fill:var(--fg)}
svg.chart text.m{fill:var(--mute)}
svg.mini text{font-size:12px}
svg .grid{stroke:var(--rule);stroke-width:1}
svg .axis{stroke:var(--mute);stroke-width:1}
svg .zero{stroke:var(--fg);stroke-width:1.2}
svg .margin{stroke:var(--harm);stroke-width:1.4;stroke-dasharray:6 4}
svg .level{stroke:var(--fg);stroke-width:1.4;stroke-dasharray:2 3}
svg .band{fill:var(--fg);opacity:.1}
svg .zone{fill:var(--harm);opacity:.08}
svg .dot{opacity:.5;stroke:none}
svg .ring{fill:var(--card);stroke-width:2}
svg .rod{stroke:currentColor;stroke-width:2;fill:none}
svg .thread{stroke:currentColor;fill:none;stroke-width:1.2;opacity:.75;stroke-linejoin:round}
svg .path{stroke:currentColor;fill:none;stroke-width:1.3;opacity:.55}
svg .ghost{stroke:var(--mute);fill:none;stroke-width:1.2;stroke-dasharray:3 3}
svg .fill{fill:currentColor}
svg .outline{fill:none;stroke:currentColor;stroke-width:1.5}
svg text.b{font-weight:600}
svg text.own{fill:currentColor}
.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}
.c6{color:var(--c6)}.fg{color:var(--fg)}
.heat th[scope=col]{text-align:center;padding-right:0}
.heat td{padding:.4rem .3rem;text-align:center;border:2px solid var(--card);min-width:3.6rem;border-radius:.3rem;
color:var(--fg)}
.heat td.own{outline:2px solid var(--fg);outline-offset:-3px}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem}
.gallery figure{margin:0;background:var(--soft);border-radius:.625rem;padding:.9rem}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.75rem}
.pair p{margin:0;font-size:.8125rem;color:var(--mute)}
.pair img{display:block;width:100%;height:auto;image-rendering:pixelated;background:var(--bg);border-radius:.25rem}
.pair audio{width:100%;margin-top:.4rem}
footer{padding-bottom:3rem}
@media (max-width:40rem){
main,header,footer{padding:0 .75rem}
header{padding-top:1.25rem}
section{padding:1.1rem .85rem;border-radius:.625rem;margin:1rem 0}
svg.chart text{font-size:18.5px}
svg.mini text{font-size:14px}
table{font-size:.875rem}
th,td{padding-right:.6rem}
.tiles{grid-template-columns:1fr 1fr}
.tiles dd{font-size:1.0625rem}
.wide th{width:6.5rem}
}
]]

local paper = [[
@media print{
@page{margin:14mm}
body{font-size:10pt;background:#fff}
main,header,footer{max-width:none;padding:0}
header{padding-top:0}
section{border:0;border-top:1px solid var(--rule);border-radius:0;padding:1rem 0 0;margin:1rem 0 0}
nav,.skip,audio{display:none}
.two{grid-template-columns:1fr 1fr}
.two.uneven{grid-template-columns:1fr}
.uneven svg{max-width:12cm}
figure,tr,.lines li,.tiles div{break-inside:avoid}
h2,h3{break-after:avoid}
thead{display:table-header-group}
.box{overflow:visible}
table{font-size:8.5pt}
svg.chart text{font-size:15px}
svg.mini text{font-size:12px}
details::details-content{content-visibility:visible;display:block;block-size:auto}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
]]

-- Levels of a heat map: class h0 .. h9 from the ground to the full colour, of which so much only that texts stay
-- readable on it.
local function heat()
  local parts = {}
  for i = 0, 9 do
    parts[#parts + 1] = ('.h%d{background:color-mix(in srgb,var(--heat) %d%%,var(--card))}'):format(i, 5 * i)
  end
  return table.concat(parts, '\n') .. '\n'
end

function M.sheet()
  local reduced = '@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}\n'
  return table.concat { ':root{color-scheme:light dark}\n', variables(2), '\n@media (prefers-color-scheme:dark){',
    variables(3), '}\n@media print{', variables(2), '}\n', sheet, heat(), reduced, paper }
end

return M
