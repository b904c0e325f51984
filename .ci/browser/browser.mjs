// What the tests of pages share: a headless Chromium that tells what goes wrong, and checks that go on after a failure.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The packages lie outside the checkout.
const require = createRequire(`${process.env.TAPER_NODE_MODULES}/`);
const { chromium } = require("playwright-core");

/** Requests that a page may make: to this machine, of data that it holds itself, and of a file that it is. */
const NEAR = /^(https?:\/\/(127\.0\.0\.1|localhost)(:\d+)?\/|data:|blob:|file:)/;

let failures = 0;

/** Notes whether something is as it should be. */
export function check(what, is, found = "") {
  const told = found === "" ? "" : ` (${found})`;
  console.log(`${is ? "ok    " : "FAILED"} ${what}${told}`);
  if (!is) failures += 1;
}

/** Ends the process, with a failure if a check failed. */
export function finish() {
  console.log(failures === 0 ? "all as it should be" : `${failures} checks failed`);
  process.exit(failures === 0 ? 0 : 1);
}

/** Starts Chromium. */
export function start() {
  return chromium.launch({
    executablePath: process.env.TAPER_CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

/**
 * Opens a page. `errors` gathers what the browser complains of, and requests that leave this machine.
 * @param {{width: number, height?: number, dark?: boolean, touch?: boolean}} look
 */
export async function open(browser, address, { width, height = 900, dark = false, touch = false }) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    hasTouch: touch,
    deviceScaleFactor: touch ? 2 : 1,
  });
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => errors.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => errors.push(`failed: ${request.url()}`));
  page.on("response", (response) => {
    if (response.status() >= 400) errors.push(`${response.status()}: ${response.url()}`);
  });
  page.on("request", (request) => {
    if (!NEAR.test(request.url())) errors.push(`leaves this machine: ${request.url()}`);
  });
  await page.goto(address);
  return { page, errors };
}

/** Checks a page that is open for what can be told of its accessibility by a program, and that nothing sticks out. */
export async function checkLook({ page, errors }, name) {
  await page.evaluate(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const told = violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => node.target).join(", ")}`);
  check(`${name}: accessible, says axe`, told.length === 0, told.join("; "));
  const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  check(`${name}: nothing sticks out`, inner <= outer, `${inner} of ${outer} pixels`);
  check(`${name}: no errors, and no request leaves this machine`, errors.length === 0, errors.join("; "));
}
