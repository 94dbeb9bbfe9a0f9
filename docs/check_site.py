"""Open every page of the built site in a headless browser and say what is wrong: python docs/check_site.py SITE.

At 1400 and 390 pixels no page may be wider than the window, images load and have a text for those who do not see them,
and no formula or role stays markup. At 1400 pixels the header is one row and no code is cut off. Internal links lead to
files and places that exist, and the site's search finds the words that people use among its first three hits. Without a
browser (Chromium or Chrome) links alone are checked.
The site has to be built afresh (-E): Sphinx drops index entries of pages that it does not write again from the search.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from urllib.parse import unquote, urldefrag

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTHS = (1400, 390)
# A header of two rows is more than this many pixels high.
HEADER = 90
# Seconds until the browser has to be done with all pages.
PATIENCE = 900
# What people type, and pages of which one has to be among the first three hits.
WORDS = {
    "categorical": ["start"],
    "dataframe": ["start"],
    "confidence interval": ["inference", "ladreg.infer", "ladreg.Inference"],
    "p-value": ["inference", "ladreg.Inference"],
    "prediction interval": ["prediction_intervals", "ladreg.ConformalQuantileRegressor"],
    "outlier": ["lad", "choosing", "plot_robust_losses", "ladreg.ResidualDisplay", "quickstart"],
    "install": ["installation"],
    "ConvergenceWarning": ["troubleshooting"],
    "cross-validation": ["alpha", "ladreg.LassoCDCV", "plot_cv_curve"],
    "categories": ["start", "prediction_intervals", "plot_prediction_intervals"],
    "standard error": ["inference", "plot_standard_errors", "ladreg.infer"],
    "NaN": ["troubleshooting", "faults"],
}

HARNESS = """<!doctype html><body><script>
const job = JOB, found = [];
const sleep = ms => new Promise(done => setTimeout(done, ms));
async function opened(page, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  const ready = new Promise(done => { frame.onload = done; });
  frame.src = page;
  document.body.append(frame);
  await Promise.race([ready, sleep(20000)]);
  const view = frame.contentWindow;
  if (view.document.querySelector(".math")) {
    for (let k = 0; k < 100 && !(view.MathJax && view.MathJax.startup && view.MathJax.startup.promise); k++)
      await sleep(50);
    if (view.MathJax && view.MathJax.startup) await Promise.race([view.MathJax.startup.promise, sleep(20000)]);
  }
  for (const image of view.document.images) image.loading = "eager";
  const loaded = one => one.complete ? 0 : new Promise(done => { one.onload = one.onerror = done; });
  await Promise.race([sleep(3000), Promise.all([...view.document.images].map(loaded))]);
  return frame;
}
const what = element => element.textContent.trim().split("\\n").sort((a, b) => b.length - a.length)[0].slice(0, 60);
function judge(page, width, view) {
  const complain = text => found.push(`${page} at ${width}: ${text}`);
  const all = wanted => [...view.document.querySelectorAll(wanted)];
  const root = view.document.documentElement;
  if (root.scrollWidth > width + 1) complain(`${root.scrollWidth} pixels wide`);
  for (const image of view.document.images) {
    if (!image.naturalWidth && image.getAttribute("src")) complain(`image ${image.getAttribute("src")} is not loaded`);
    const title = image.closest(".sphx-glr-thumbcontainer");  // says in words what a thumbnail shows
    if (!image.alt.trim() && !title) complain(`image ${image.getAttribute("src")} has no alternative text`);
  }
  for (const math of all(".math")) if (!math.querySelector("mjx-container")) complain(`raw LaTeX: ${what(math)}`);
  const prose = (view.document.querySelector(".bd-article") || view.document.body).cloneNode(true);
  for (const element of prose.querySelectorAll("pre, code, script, style, .math")) element.remove();
  const markup = prose.textContent.match(/:[a-z]+:`|\\\\(frac|sum|alpha|mathbb|text|top|hat)\\b/);
  if (markup) complain(`raw markup: ${prose.textContent.slice(markup.index, markup.index + 60)}`);
  if (width < 1000) return;
  for (const code of all(".bd-article pre"))
    if (code.scrollWidth > code.clientWidth + 1) complain(`code is cut off: ${what(code)}`);
  const header = view.document.querySelector(".bd-header");
  if (header && header.offsetHeight > job.header) complain(`the header is ${header.offsetHeight} pixels high`);
}
async function search(word, wanted) {
  const frame = await opened("search.html?q=" + encodeURIComponent(word), 1400);
  let hits = [];
  for (let k = 0; k < 100; k++) {
    await sleep(100);
    hits = [...frame.contentDocument.querySelectorAll("#search-results li > a, ul.search li > a")].slice(0, 3);
    if (hits.length == 3) break;
  }
  const pages = hits.map(one => new URL(one.href).pathname.split("/").pop().replace(/[.]html$/, ""));
  if (!pages.some(one => wanted.includes(one))) found.push(`search for ${word} finds ${pages.join(", ") || "nothing"}`);
  frame.remove();
}
(async () => {
  try {
    for (const width of job.widths)
      for (const page of job.pages) {
        const frame = await opened(page, width);
        judge(page, width, frame.contentWindow);
        frame.remove();
      }
    for (const [word, wanted] of Object.entries(job.words)) await search(word, wanted);
  } catch (error) { found.push("the check itself failed: " + error); }
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
})();
</script></body>"""


class Links(HTMLParser):
    """Links and names of places of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a tag links to and is called."""
        given = dict(attrs)
        self.places |= {given[name] or "" for name in ("id", "name") if name in given}
        link = given.get("href" if tag == "a" else "src")
        if link:
            self.links.add(link)


def pages_of(site: Path) -> dict[Path, Links]:
    """All pages but listings of source code and what themes ship."""
    paths = [path for path in sorted(site.rglob("*.html")) if not {"_modules", "_static"} & set(path.parts)]
    return {path.resolve(): Links(path.read_text(encoding="utf-8")) for path in paths}


def dead_links(site: Path, pages: dict[Path, Links]) -> list[str]:
    """Internal links to files or places that do not exist."""
    found = []
    for path, page in pages.items():
        for link in sorted(page.links):
            target, place = urldefrag(link)
            if ":" in target or target.startswith("//"):
                continue
            file = (path.parent / unquote(target.partition("?")[0])).resolve() if target else path
            if not file.exists():
                found.append(f"{path.relative_to(site)}: no file for {link}")
            elif place and file in pages and unquote(place) not in pages[file].places:
                found.append(f"{path.relative_to(site)}: no place for {link}")
    return found


class Handler(SimpleHTTPRequestHandler):
    """Serves the site and the harness, and takes what the harness found."""

    job: str
    found: Queue[list[str]]

    def do_GET(self) -> None:
        """Serve the harness, or a file."""
        if self.path != "/harness":
            super().do_GET()
            return
        body = HARNESS.replace("JOB", self.job, 1).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Take what the harness found."""
        self.found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def handle(self) -> None:
        """Answer, unless the browser has left the page in the meantime."""
        with suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def opened(site: Path, pages: dict[Path, Links], browser: str) -> list[str]:
    """What the browser finds."""
    names = [path.relative_to(site).as_posix() for path in pages if path.stem != "search"]
    job = {"pages": names, "widths": WIDTHS, "words": WORDS, "header": HEADER}
    Handler.job, Handler.found = json.dumps(job), Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1500,1000"]
        command += [
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        ]
        command += [f"http://127.0.0.1:{server.server_address[1]}/harness"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return Handler.found.get(timeout=PATIENCE)
        except Empty:
            return [f"{browser} was not done in {PATIENCE} seconds"]
        finally:
            process.terminate()
            process.wait()
            server.shutdown()


def main(site: Path) -> int:
    """Print what is wrong; 1 if anything is."""
    pages = pages_of(site)
    if not pages:
        print(f"no pages in {site}: build them first")
        return 1
    found = dead_links(site, pages)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no headless browser (Chromium or Chrome): pages are not opened, links alone are checked")
    else:
        found += opened(site, pages, browser)
    print(*found, sep="\n")
    print(f"{len(pages)} pages, {len(found)} complaints")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
