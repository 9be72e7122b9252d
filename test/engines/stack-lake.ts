import { systemClock } from '../../src/clock.ts';
import { loadLake } from '../../src/config.ts';
import { type Lake, openLake } from '../../src/project/open-lake.ts';
import { lakeEnvironment, lakeFolder } from '../../stack/catalog.ts';
import { testedStack } from './stack.ts';

/** The stack's lake, opened in this process as the `lake` command opens it: one more replica on the catalog's database. Close it. */
export async function openStackLake(): Promise<Lake> {
  const settings = testedStack();
  return openLake(await loadLake(lakeFolder(settings), lakeEnvironment(settings)), systemClock);
}
