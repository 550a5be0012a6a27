"""Names, values, outputs and files that try to run something in whoever looks at them, a case for each place.

Every attack calls ``heard(place)``, which a test offers in every frame of every page it opens; what is shown
beside it says which attack is where, so that a test can see that it was shown at all.
"""

from __future__ import annotations

ODD = "\u202e\u200b\u200d\ufeff"
"""Turns what follows around, and takes no room."""


def attack(place: str) -> str:
    """Text that runs something wherever it is taken for a part of a page."""
    call = f"heard('{place}')"
    return (
        f"{place}{ODD}<img src=x onerror={call}><script>{call}</script><svg onload={call}></svg>"
        f'\'"><a href="javascript:{call}">a</a>${{{call}}}'
    )


def page(place: str) -> str:
    """A whole page, as an output or a file is one: also what frames, forms and what is loaded would do."""
    call = f"heard('{place}')"
    return (
        f'<b>{place}</b>{attack(place)}<iframe srcdoc="<script>parent.{call}</script>"></iframe>'
        f'<iframe src="javascript:parent.{call}"></iframe><object data="javascript:{call}"></object>'
        f"<details open ontoggle={call}>d</details><input autofocus onfocus={call}>"
        f'<math href="javascript:{call}">m</math><form action="javascript:{call}"><button>b</button></form>'
        f"<style>@import 'https://elsewhere.test/style'</style><link rel=stylesheet href=https://elsewhere.test/link>"
        f"<img src=https://elsewhere.test/image>"
        f"<video autoplay src=https://elsewhere.test/video></video><meta http-equiv=refresh "
        f'content="0;url=https://elsewhere.test/refresh"><p style="background:url(https://elsewhere.test/paint)">p'
        f"</p><base href=https://elsewhere.test/><script src=https://elsewhere.test/script></script>"
    )


def svg(place: str) -> str:
    """A drawing with a script."""
    call = f"heard('{place}')"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{call}\" width='9' height='9'>"
        f"<script>{call}</script>"
        f"<foreignObject><body xmlns='http://www.w3.org/1999/xhtml' onload=\"{call}\"/></foreignObject>"
        f"<image href='https://elsewhere.test/svg'/></svg>"
    )


OUTPUTS: dict[str, dict[str, object]] = {
    "text/html": {"text/html": page("output-html")},
    "image/svg+xml": {"image/svg+xml": svg("output-svg")},
    "text/markdown": {
        "text/markdown": f"[link](javascript:heard('output-markdown')) ![i](https://elsewhere.test/markdown)\n\n"
        f"{attack('output-markdown')}"
    },
    "application/javascript": {"application/javascript": "heard('output-javascript')"},
    "text/latex": {
        "text/latex": r"$\href{javascript:heard('output-latex')}{x}"
        r"\text{<img src=x onerror=heard('output-latex')>}$"
    },
    "application/json": {"application/json": {attack("output-json"): attack("output-json")}},
    "application/vnd.vega.v5+json": {
        "application/vnd.vega.v5+json": {
            "$schema": "https://vega.github.io/schema/vega/v5.json",
            "width": 9,
            "height": 9,
            "data": [{"name": "d", "url": "https://elsewhere.test/vega"}],
            "marks": [
                {"type": "image", "encode": {"enter": {"url": {"value": "https://elsewhere.test/mark"}}}}
            ],
        }
    },
    "application/vnd.bokehjs_exec.v0+json": {
        "application/vnd.bokehjs_exec.v0+json": "",
        "application/javascript": "heard('output-bokeh')",
    },
    "application/vnd.jupyter.widget-view+json": {
        "application/vnd.jupyter.widget-view+json": {"model_id": attack("output-widget"), "version_major": 2},
        "text/plain": attack("output-widget"),
    },
}
"""Bundles of what a cell showed, by their type."""

SEED = """
import json, sys
import kernel_magics as km
from kernel_magics import paths, tracking
from kernel_magics.store import views
from tests.ui.hostile import OUTPUTS, attack, page, svg

def record(number):
    git = {"commit": attack("commit"), "branch": attack("branch"), "dirty": True,
           "diff": "--- a\\n+++ b\\n+" + attack("git-diff") + "\\n"}
    facts = {"source": f"x = {number}\\n# " + attack("source"), "git": git,
             "packages": {attack("package"): attack(f"v{number}")},
             "notebook": "work/" + attack("notebook") + ".ipynb", "lease": attack("lease-fact"),
             "host": attack("host")}
    run = tracking.init(project=attack("project"), name=attack(f"run-{number}"), tags=[attack("tag")],
                        group=attack(f"group-{number}"), facts=facts,
                        config={attack("config-key"): attack(f"config-value-{number}"),
                                "link": "javascript:heard('link')"})
    run.define_metric(attack("metric"), unit=attack("unit"))
    for step in range(3):
        run.log({attack("metric"): step + number, attack("part") + "/" + attack("leaf"): step}, step=step)
    run.log_inferred({attack("inferred"): 1.0}, step=1)
    run.summary[attack("summary-key")] = attack(f"summary-value-{number}")
    run.record_event(attack("event"), "error", attack("event-detail"))
    run.record_cell({"key": "c1", "execution_count": 1, "source": "x = 1 # " + attack("cell"), "name": "c"})
    def show(message, content):
        run.record_output("c1", message, json.dumps(content).encode())
    show("stream", {"name": "stdout", "text": attack("output-stream") + " http://x.test/'onmouseover=heard(1)"})
    for data in OUTPUTS.values():
        show("display_data", {"data": data, "metadata": {}})
    show("error", {"ename": attack("ename"), "evalue": attack("evalue"), "traceback": [attack("traceback")]})
    with open("drawing.svg", "w") as file:
        file.write(svg("media-svg"))
    run.log({attack("media"): km.Image("drawing.svg", attack("caption")), "page": km.Html(page("media-page")),
             "table": km.Table([attack("column")], [[attack("table-cell")]])}, step=1)
    run.log_artifact("drawing.svg", name=attack("artifact"))
    run.finish("failed", error={"ename": attack("error-name"), "evalue": attack("error-value"),
                                "traceback": [attack("error-traceback")]})
    return run.id

ids = [record(0), record(1)]
with km.open_store() as store:
    store.refresh()
    for run_id in ids:
        store.edit(run_id, notes=attack("notes"))
state = {"filter": attack("filter"), "selected": ["20200101-000000-aaaaaa"]}
views.save(paths.data_dir(), ids[0], attack("view"), state)
print(json.dumps(ids))
"""

LONG = 10_000_000
"""Characters of each text of the run that :data:`LONG_SEED` records."""

LONG_SEED = f"""
import json
import kernel_magics as km
from kernel_magics import tracking
text = "0123456789" * {LONG // 10}
run = tracking.init(name="long", config={{"text": text}})
run.log({{"loss": 1.0, "table": km.Table(["c"], [[text]])}})
run.record_event("alert", "error", text)
run.record_cell({{"key": "c1", "execution_count": 1, "source": "", "name": "c"}})
run.record_output("c1", "stream", json.dumps({{"name": "stdout", "text": text}}).encode())
run.finish()
print(run.id)
"""
