/** `node stack/gold.ts`: makes the views of trino/gold and runs its checks, by the lake's variables (LAKE_TRINO__SERVER, LAKE_TIERS__…__LOCATION). See docs/superset.md. */
import { checkGold, publishGold } from './publish-gold.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
for (const view of await publishGold(process.env)) say(`made the view ${view}`);
for (const { name, failures } of await checkGold(process.env)) {
  say(
    `check ${name}: ${failures.length === 0 ? 'passed' : `${failures.length} rows that should not be there`}`,
  );
  if (failures.length > 0) process.exitCode = 1;
}
