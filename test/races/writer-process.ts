/** A process with some writers; its arguments are the folder, the seed, the end (ms since 1970) and the writers' numbers. Prints their reports as JSON. */
import { openRacingLake } from './racing-lake.ts';
import { write } from './writer.ts';

const [root = '', seed, untilMs, ...writers] = process.argv.slice(2);
const lake = await openRacingLake(root);
const reports = await Promise.all(
  writers.map((writer) =>
    write(lake, { writer: Number(writer), seed: Number(seed), untilMs: Number(untilMs) }),
  ),
);
await lake.close();
process.stdout.write(JSON.stringify(reports));
