import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Where tests leave what people may want to look at; not in git. */
const ARTEFACTS = join(import.meta.dirname, '../artefacts');
const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The system's Chromium; null where there is none. Never in CI: what it cannot open, it would not test. */
export function findChromium(): string | null {
  const found = PROGRAMS.find((path) => existsSync(path)) ?? null;
  const advice = 'there is no Chromium (Debian: apt-get install chromium)';
  if (found === null && process.env['CI'] !== undefined) throw new Error(advice);
  if (found === null) console.warn(`left out, what needs a browser: ${advice}`);
  return found;
}

export function openBrowser(executablePath: string): Promise<Browser> {
  // Without a sandbox, as it refuses one to root; it opens nothing but the stack.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

/** Keeps what the page shows, from its top to its end, in test/artefacts. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  await mkdir(ARTEFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTEFACTS, `${name}.png`), fullPage: true });
}
