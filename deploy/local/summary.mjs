/** Adds up what several jest runs reported, so that one line tells how everything went. */

/**
 * @typedef {object} Report the part of jest's JSON that counts
 * @property {boolean} success
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {number} numRuntimeErrorTestSuites
 */

/**
 * A suite that could not run counts as a failed test, and so does a run that left no report, or that failed beside its tests.
 * @param {readonly (Report | undefined)[]} reports
 */
export function summarise(reports) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const report of reports) {
    if (report === undefined) {
      sum.failed += 1;
      continue;
    }
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    sum.passed += report.numPassedTests;
    sum.failed += failed === 0 && !report.success ? 1 : failed;
    sum.skipped += report.numPendingTests + report.numTodoTests;
  }
  if (sum.passed + sum.failed === 0) sum.failed = 1;
  return sum;
}

/** @param {{ passed: number, failed: number, skipped: number }} sum */
export const summaryLine = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
