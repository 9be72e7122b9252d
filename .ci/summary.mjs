// Prints what failed, once more, and the counts of all tests as the last line: `node .ci/summary.mjs KIT_OUTPUT VITEST_JSON…`
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const SHOWN = 2_000; // Characters of one failure's message.
const [kit, ...files] = process.argv.slice(2);

function report(where, what) {
  console.log(`FAILED ${where}\n    ${what.slice(0, SHOWN).replaceAll('\n', '\n    ')}`);
}

/** The counts of one run of vitest; a run that left no report, a file that could not be loaded and an empty run each count as a failure. */
function ofVitest(file) {
  if (!existsSync(file)) {
    report(basename(file, '.json'), 'the run ended without a report');
    return { passed: 0, failed: 1 };
  }
  const run = JSON.parse(readFileSync(file, 'utf8'));
  for (const suite of run.testResults) {
    const failed = suite.assertionResults.filter(({ status }) => status === 'failed');
    for (const { fullName, failureMessages } of failed) {
      report(`${suite.name}: ${fullName}`, failureMessages.join('\n'));
    }
    if (suite.status === 'failed' && failed.length === 0) report(suite.name, suite.message);
  }
  const { numPassedTests, numFailedTests, numFailedTestSuites, numTotalTests } = run;
  const unloaded = numFailedTests === 0 ? numFailedTestSuites : 0;
  return { passed: numPassedTests, failed: numFailedTests + (numTotalTests === 0 ? 1 : 0) + unloaded };
}

function ofKit(file) {
  const totals = /^(\d+) passed, (\d+) failed/m.exec(existsSync(file) ? readFileSync(file, 'utf8') : '');
  if (totals !== null) return { passed: Number(totals[1]), failed: Number(totals[2]) };
  report('test:rck', 'the compatibility kit ended without its counts');
  return { passed: 0, failed: 1 };
}

const counts = [ofKit(kit), ...files.map(ofVitest)];
const sum = (of) => counts.reduce((total, one) => total + of(one), 0);
console.log(`${sum(({ passed }) => passed)} passed, ${sum(({ failed }) => failed)} failed`);
