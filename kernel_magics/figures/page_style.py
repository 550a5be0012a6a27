"""Style and script of the comparison's page.

The page is dark where its reader's scheme is. In a frame it asks the page around (``trackside:theme?``). That
answers ``trackside:theme`` with ``dark``, again when it changes: so does the panel in JupyterLab, which has a
theme of its own (``labextension/src/model/framethemes.ts``). Without an answer the browser's scheme counts.
"""

from __future__ import annotations

_DARK = """--bg:#111418;--card:#191d23;--text:#e4e7eb;--quiet:#98a2ae;--line:#2b3139;
--differs:#33290f;--mark:#f0b429;--ok:#4cc38a;--bad:#ff7b72;--warn:#f0b429;--live:#6cb6ff"""

_STYLE = """
:root{--bg:#f6f7f9;--card:#fff;--text:#1f2328;--quiet:#66707c;--line:#e3e6ea;--differs:#fff6df;--mark:#a15c00;
--ok:#1a7f4b;--bad:#c62828;--warn:#a15c00;--live:#0b6bcb}
:root[data-theme=light]{color-scheme:light}
*{box-sizing:border-box} body{margin:0;background:var(--bg);color:var(--text);font:14px/1.5
system-ui,-apple-system,"Segoe UI",Roboto,sans-serif} main{max-width:1440px;margin:0 auto;padding:28px 28px
56px} .brief main{padding:12px} header{display:flex;align-items:baseline;gap:16px;flex-wrap:wrap}
h1{font-size:22px;font-weight:650;margin:0;letter-spacing:-.01em} h2{font-size:13px;font-weight:650;margin:0 0
12px;color:var(--quiet)} h3{font-size:14px;font-weight:600;margin:0 0 8px;display:flex;align-items:center}
.quiet{color:var(--quiet);margin:0} .legend{list-style:none;display:flex;flex-wrap:wrap;gap:8px;margin:16px 0
18px;padding:0} .brief .legend{margin:10px 0} .legend
li{display:flex;align-items:center;gap:8px;background:var(--card);border:1px solid var(--line);
border-radius:999px;padding:4px 12px 4px 10px} .legend b{font-weight:600}
.chip{display:inline-block;flex:none;width:18px;height:0;border-top:3px solid var(--light);margin-right:8px;
border-radius:2px;background:none!important} .legend
.chip{margin:0}.chip.dashed{border-top-style:dashed}.chip.dotted{border-top-style:dotted}
.state{font-size:12px;color:var(--quiet)}.state.finished{color:var(--ok)}.state.running{color:var(--live)}
.state.failed,.state.killed{color:var(--bad)}.state.interrupted,.state.unknown{color:var(--warn)}
.notes{white-space:pre-wrap;overflow-wrap:anywhere;max-width:80ch;margin:14px 0}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(460px,100%),1fr));gap:14px;margin-bottom:14px}
.chart,section.scroll,article{background:var(--card);border:1px solid var(--line);border-radius:10px}
.chart{padding:10px 8px 4px;min-width:0} section.scroll{overflow-x:auto;padding:16px 18px;margin-bottom:14px}
table.trackside-table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}
.trackside-table th,.trackside-table td{text-align:left;padding:4px 20px 4px 8px;border-bottom:1px solid
var(--line); font-weight:400;white-space:nowrap} .trackside-table thead th{font-weight:600;padding-bottom:8px}
.trackside-table tbody th{color:var(--quiet)} .trackside-table tr.section
th{font-size:11px;font-weight:650;color:var(--quiet);padding-top:14px;letter-spacing:.04em} .trackside-table
tr.differs td{background:var(--differs)} .trackside-table tbody tr:last-child>*{border-bottom:0}
.mark{color:var(--mark);font-weight:700} section>h2{margin-top:2px}
.outputs{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(360px,100%),1fr));gap:14px;align-items:start}
article{padding:14px 16px;min-width:0;overflow-x:auto} .cell+.cell{margin-top:12px;border-top:1px solid
var(--line);padding-top:12px} pre{margin:6px 0;font:12px/1.5
ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;
overflow-wrap:anywhere;max-height:420px;overflow:auto}
pre.source{background:var(--bg);border-radius:6px;padding:8px 10px} pre.stderr,pre.error{border-left:3px solid
var(--bad);padding-left:10px} summary{cursor:pointer;color:var(--quiet);font-size:12px}
img{max-width:100%;background:#fff;border-radius:4px} iframe.html{width:100%;height:40px;border:1px solid
var(--line);border-radius:6px;background:#fff}
.media table{border-collapse:collapse} .media th,.media td{text-align:left;vertical-align:top;padding:6px
16px 6px 0;font-weight:400} .media thead th{font-weight:600} .media figure{margin:0 0 8px} .media
figcaption{font-size:12px;color:var(--quiet)} .media
img{image-rendering:pixelated;min-width:64px;max-width:320px}
.media figure table{font-size:12px} .media svg rect{fill:var(--live)} .media iframe.html{width:320px}
.steps{display:flex;align-items:center;gap:10px;margin-bottom:8px} .steps input{flex:0 1 360px}
[hidden]{display:none}
.b{font-weight:700}.c1{color:var(--bad)}.c2{color:var(--ok)}.c3{color:var(--warn)}.c4,.c6{color:var(--live)}
.c5{color:#a855c7} @media print{body{background:#fff}.chart,article{break-inside:avoid}}
"""


def _in_the_dark(root: str) -> str:
    return f"{root}{{{_DARK}}}{root} .chip{{border-top-color:var(--dark)}}"


STYLE = (
    f"{_STYLE}@media (prefers-color-scheme:dark){{{_in_the_dark(':root:not([data-theme=light])')}}}"
    f":root[data-theme=dark]{{color-scheme:dark}}{_in_the_dark(':root[data-theme=dark]')}"
)

SCRIPT = """
(() => {
  const scheme = matchMedia('(prefers-color-scheme: dark)'), root = document.documentElement
  const ink = {text: ['#3c4149', '#c3c9d1'], title: ['#1f2328', '#e4e7eb']}
  function recolour(renderer, i) {
    const colour = renderer.tags[i]
    if (!colour) return
    for (const name of ['glyph', 'nonselection_glyph', 'muted_glyph']) {
      const glyph = renderer[name]
      if (!glyph) continue
      if (glyph.line_color && glyph.line_color.value) glyph.line_color = {value: colour}
      if (glyph.fill_color) glyph.fill_color = {value: colour}
    }
  }
  function paint() {
    const i = (root.dataset.theme ? root.dataset.theme === 'dark' : scheme.matches) ? 1 : 0
    for (const doc of window.Bokeh ? Bokeh.documents : [])
      for (const root of doc.roots())
        for (const model of root.references()) {
          if (model.type === 'GlyphRenderer') recolour(model, i)
          else if (model.type === 'Title') model.text_color = ink.title[i]
          else if (model.major_label_text_color !== undefined) {
            model.major_label_text_color = ink.text[i]
            model.axis_label_text_color = ink.text[i]
          }
        }
  }
  function fit(frame) {
    const inside = frame.contentDocument && frame.contentDocument.documentElement
    if (inside) frame.style.height = Math.min(inside.scrollHeight + 4, 600) + 'px'
  }
  let painted = 0
  function measure(times) {
    const there = window.Bokeh ? Bokeh.documents.length : 0 // charts come after the page has loaded
    if (there !== painted) { painted = there; paint() }
    document.querySelectorAll('iframe.html').forEach(fit)
    const box = document.querySelector('main').getBoundingClientRect()
    root.dataset.height = Math.ceil(box.height)
    if (times) setTimeout(() => measure(times - 1), 200)
  }
  function slide(input) {
    const at = JSON.parse(input.dataset.steps)[input.value]
    input.nextElementSibling.textContent = at.toLocaleString('en-US')
    for (const cell of input.closest('section').querySelectorAll('td')) {
      const parts = [...cell.children].filter(part => part.dataset.step !== undefined)
      const last = parts.filter(part => Number(part.dataset.step) <= at).pop()
      for (const part of parts) {
        part.hidden = part !== last
        part.querySelector('.of').hidden = Number(part.dataset.step) === at
      }
    }
    document.querySelectorAll('iframe.html').forEach(fit)
  }
  for (const input of document.querySelectorAll('input[data-steps]')) {
    input.addEventListener('input', () => slide(input))
    slide(input)
  }
  scheme.addEventListener('change', paint)
  addEventListener('message', ({data, source}) => {
    if (source !== parent || !data || data.type !== 'trackside:theme') return
    root.dataset.theme = data.dark ? 'dark' : 'light'
    paint()
  })
  if (parent !== window) parent.postMessage({type: 'trackside:theme?'}, '*')
  addEventListener('load', () => measure(25))
})()
"""
"""Colours for the scheme that the reader prefers, and the page's height for whoever makes a picture of it."""
