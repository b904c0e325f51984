// The report of a run in Chromium: node report.mjs OUT RUN PAGE COMPARISON. OUT is a folder for the screenshots, RUN a finished
// run, PAGE a folder with a report out of made-up values (the example `page` of taper-report), COMPARISON a file of
// `taper compare --html`.

import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { check, checkLook, finish, open, start } from "./browser.mjs";

const [out, run, made, comparison] = process.argv.slice(2);
const PAGES = [
  { page: "report", file: join(run, "report.html"), sections: 10, images: 20 },
  { page: "made", file: join(made, "report.html"), sections: 10, images: 20 },
  { page: "comparison", file: comparison, sections: 0, images: 0 },
];
const LOOKS = [
  { look: "1280-light", width: 1280 },
  { look: "1280-dark", width: 1280, dark: true },
  { look: "390-light", width: 390, touch: true },
  { look: "390-dark", width: 390, dark: true, touch: true },
];

/** What a person would see at once to be wrong. */
function look() {
  const images = [...document.images];
  const texts = [...document.querySelectorAll("svg.plot text")];
  const size = (text) => {
    const svg = text.closest("svg");
    return (parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width) / svg.viewBox.baseVal.width;
  };
  const outside = texts.filter((text) => {
    const [box, plot] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
    return box.left < plot.left - 1 || box.right > plot.right + 1 || box.top < plot.top - 1 || box.bottom > plot.bottom + 1;
  });
  // What is wider than its place, and is not scrolled.
  const wide = [...document.querySelectorAll("h1, h2, h3, p, li, dt, dd, figcaption, b")].filter(
    (element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline",
  );
  return {
    sections: [...document.querySelectorAll("section[id]")].map((section) => `#${section.id}`),
    listed: [...document.querySelectorAll("nav a")].map((link) => link.getAttribute("href")),
    broken: images.filter((image) => !image.complete || image.naturalWidth === 0).length,
    images: images.length,
    smallest: Math.min(...texts.map(size)),
    outside: outside.map((text) => text.textContent),
    wide: wide.map((element) => element.textContent.trim()),
    ground: getComputedStyle(document.body).backgroundColor,
    scripts: document.scripts.length,
  };
}

/** What paper would not show: closed parts, and what lies beyond its right edge. */
function lost() {
  const closed = [...document.querySelectorAll("details > :not(summary)")];
  const tables = [...document.querySelectorAll("table, pre")];
  return [
    ...closed.filter((part) => part.getBoundingClientRect().height === 0 || !part.checkVisibility()).map(() => "a closed part"),
    ...tables.filter((table) => table.getBoundingClientRect().right > innerWidth + 1).map((table) => table.textContent.slice(0, 60)),
  ];
}

const browser = await start();
for (const { page, file, sections, images } of PAGES) {
  const address = pathToFileURL(resolve(file)).href;
  check(`${page}: is below 3 MB`, statSync(file).size < 3e6, `${statSync(file).size} bytes`);
  for (const { look: size, ...options } of LOOKS) {
    const name = `${page}-${size}`;
    const opened = await open(browser, address, options);
    const found = await opened.page.evaluate(look);
    const isWhole = found.sections.length === sections && found.sections.join() === found.listed.join();
    check(`${name}: all sections, as listed at the top`, isWhole, found.sections.join());
    check(`${name}: all ${found.images} pictures are shown`, found.broken === 0 && found.images >= images, found.broken);
    check(`${name}: no text of a plot is cut off`, found.outside.length === 0, found.outside.join(", "));
    check(`${name}: text of plots can be read`, found.smallest >= 10, `${found.smallest.toFixed(1)} pixels`);
    check(`${name}: no words stick out`, found.wide.length === 0, found.wide.join(", "));
    const [red] = found.ground.match(/\d+/g).map(Number);
    check(`${name}: the ground is ${options.dark ? "dark" : "light"}`, red < 60 === Boolean(options.dark), found.ground);
    check(`${name}: no script`, found.scripts === 0, found.scripts);
    await opened.page.screenshot({ path: join(out, `${name}.png`), fullPage: true });
    await checkLook(opened, name);
    await opened.page.context().close();
  }
  // On paper all is light, whatever the screen was, and nothing is left out. A4 without its margins is 718 pixels wide.
  const opened = await open(browser, address, { width: 718, dark: true });
  await opened.page.emulateMedia({ media: "print" });
  const ground = await opened.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check(`${page} on paper: the ground is white`, ground === "rgb(255, 255, 255)", ground);
  const gone = await opened.page.evaluate(lost);
  check(`${page} on paper: nothing is lost`, gone.length === 0, gone.join("; "));
  const margin = "1cm";
  await opened.page.pdf({
    path: join(out, `${page}.pdf`), format: "A4", printBackground: true,
    margin: { top: margin, right: margin, bottom: margin, left: margin },
  });
  await opened.page.context().close();
}

// The plots as files, as a browser shows them.
for (const folder of [run, made]) {
  for (const name of readdirSync(join(folder, "plots")).filter((name) => name.endsWith(".svg"))) {
    const plot = await open(browser, pathToFileURL(resolve(folder, "plots", name)).href, { width: 1280 });
    const shown = await plot.page.evaluate(() => document.documentElement.nodeName === "svg" && !document.querySelector("parsererror"));
    check(`plots/${name}: is an SVG without errors`, shown && plot.errors.length === 0, plot.errors.join("; "));
    await plot.page.screenshot({ path: join(out, `plot-${folder === made ? "made-" : ""}${name.replace(".svg", ".png")}`) });
    await plot.page.context().close();
  }
}
await browser.close();
finish();
