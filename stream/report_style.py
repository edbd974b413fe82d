"""The style sheet of reports: colours that colour-blind people can tell apart, a dark form, and one for paper."""

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--card:#f5f7f9;--ink:#16202a;--soft:#4a5763;--line:#cfd7de;
--yes:#00629b;--no:#b23c00;--none:#5a6570;--open:#f5b08a;--open-ink:#b23c00;--partly:#fff3b0;--partly-ink:#7a6a00;
--outside:#e3e7ea;--outside-ink:#8a949d;--label:#16202a}
@media (prefers-color-scheme:dark){:root{--paper:#12181e;--card:#1b242c;--ink:#e8edf2;--soft:#aab6c1;--line:#36434e;
--yes:#5cb8f0;--no:#ff9a66;--none:#aab6c1;--open:#6b2f12;--open-ink:#ff9a66;--partly:#4a4310;--partly-ink:#e5d360;
--outside:#2a343d;--outside-ink:#7d8994;--label:#f4f7fa}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:1.6rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:2rem 0 .75rem;padding-top:1rem;
border-top:1px solid var(--line)}h3{margin:.25rem 0 .75rem}header p,.note,.more{color:var(--soft);margin:.25rem 0}
.verdict{font-size:1.5rem;font-weight:700;padding:.75rem 1rem;border-left:.5rem solid;background:var(--card);margin:0 0 1rem}
.verdict.ok{border-color:var(--yes)}.verdict.bad{border-color:var(--no);color:var(--no)}
.levels{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem;list-style:none;padding:0;margin:0}
.level{background:var(--card);border-top:.3rem solid;padding:.75rem;overflow-wrap:anywhere}
.level>*{display:block}.level.yes{border-color:var(--yes)}.level.no{border-color:var(--no)}.level.none{border-color:var(--none)}
.answer{font-size:1.2rem;font-weight:700}.yes .answer{color:var(--yes)}.no .answer{color:var(--no)}
article{border:1px solid var(--line);padding:1rem;margin:0 0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.keys{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;list-style:none;padding:0}.key{width:24px;height:16px;vertical-align:-2px}
.map{width:100%;height:auto;display:block}.part rect{stroke:var(--paper);stroke-width:1.5}
.protected rect{fill:var(--yes)}.protected text{fill:var(--paper)}
.open rect{fill:url(#stripes)}.partly rect{fill:url(#grid)}.outside rect{fill:url(#dots)}
text{font:11px ui-monospace,"DejaVu Sans Mono",monospace;fill:var(--label);paint-order:stroke;stroke-width:3px;stroke:none}
.open text{stroke:var(--open)}.partly text{stroke:var(--partly)}.outside text{stroke:var(--outside)}
#stripes .ground{fill:var(--open)}#stripes .ink{fill:var(--open-ink);opacity:.45}
#grid .ground{fill:var(--partly)}#grid .line{stroke:var(--partly-ink);fill:none;opacity:.6}
#dots .ground{fill:var(--outside)}#dots .ink{fill:var(--outside-ink)}
.scroll{overflow-x:auto;margin:1rem 0 .25rem}table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;font-weight:700;padding:.25rem 0}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;
border-bottom:1px solid var(--line);overflow-wrap:anywhere;min-width:4rem}th{color:var(--soft)}
@media print{body{max-width:none;padding:0;font-size:11px}.part rect,.level,.verdict{print-color-adjust:exact}
article,tr,.level,.map{break-inside:avoid}.scroll{overflow:visible}}
"""
