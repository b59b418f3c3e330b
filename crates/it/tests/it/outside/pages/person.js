// A person with a browser: goes through pages step by step, and each page is looked at by axe-core.
// Usage: node person.js STEPS, where STEPS is JSON: [{"goto": url} | {"fill": [selector, text]} | {"check": selector}
// | {"uncheck": selector} | {"press": selector} | {"width": pixels} ...]. Prints JSON: a list of what was seen after
// each step that led to a page.
const { chromium } = require("playwright-core");
const axe = require("axe-core");

async function look(page, seen, status) {
  // The pages' policy forbids scripts of any origin; what the inspector evaluates is not under it.
  await page.evaluate(axe.source);
  const found = await page.evaluate(() =>
    axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }),
  );
  const violations = found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  const cookies = (await page.context().cookies()).length;
  const [url, title, text] = [page.url(), await page.title(), await page.innerText("body")];
  seen.push({ url, status, title, text, language: await page.getAttribute("html", "lang"), violations, wide, cookies });
}

async function main() {
  const steps = JSON.parse(process.argv[2]);
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: process.argv[3] || "en-GB" });
  const page = await context.newPage();
  const [seen, hosts, faults] = [[], new Set(), []];
  let status = 0;
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("response", (response) => {
    if (response.request().isNavigationRequest()) status = response.status();
  });
  for (const step of steps) {
    if (step.goto) await page.goto(step.goto);
    if (step.width) await page.setViewportSize({ width: step.width, height: 800 });
    if (step.fill) await page.fill(step.fill[0], step.fill[1]);
    if (step.check) await page.check(step.check);
    if (step.uncheck) await page.uncheck(step.uncheck);
    if (step.press) await Promise.all([page.waitForNavigation(), page.click(step.press)]);
    if (step.goto || step.press || step.width) await look(page, seen, status);
  }
  await browser.close();
  console.log(JSON.stringify({ seen, hosts: [...hosts], faults }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
