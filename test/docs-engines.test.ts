import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MATRIX_PAGE, type MatrixFile, matrixFiles, renderedPage } from './engines/matrix-page.ts';

const PAGE =
  '# Engines\n<!-- matrix: operations -->\nold\n<!-- matrix: end -->\ntext\n<!-- matrix: types -->\n<!-- matrix: end -->\n';

it('shows in docs/engines.md what the tests of engines saw, and nothing else (LAKE_UPDATE_DOCS=1 npm run test:engines)', () => {
  const page = readFileSync(MATRIX_PAGE, 'utf8');
  const files = matrixFiles();
  expect(files.length).toBeGreaterThan(0);
  expect(renderedPage(page, files)).toBe(page);
});

it('shows each refusal and each wrong answer with its words, the same ones once', () => {
  const files: MatrixFile[] = [
    {
      engine: 'A 1',
      operations: {
        merge: { writes: 'works', reads: { refused: 'NO a|b' } },
        truncate: { writes: { refused: 'NO a|b' } },
      },
      types: {},
    },
    {
      engine: 'B 2',
      operations: { merge: { writes: { wrong: 'loses NaN' } } },
      types: { uuid: { reads: 'works' } },
    },
  ];
  const page = renderedPage(PAGE, files);
  expect(page).toBe(`# Engines
<!-- matrix: operations -->

|  | A 1 writes | A 1 reads | B 2 writes | B 2 reads |
| --- | --- | --- | --- | --- |
| merge | yes | refused (1) | **wrong** (2) |  |
| truncate | refused (1) |  |  |  |

1. A 1 refuses: NO a\\|b
2. B 2: loses NaN

<!-- matrix: end -->
text
<!-- matrix: types -->

|  | B 2 writes | B 2 reads |
| --- | --- | --- |
| uuid |  | yes |

<!-- matrix: end -->
`);
  expect(renderedPage(page, files)).toBe(page);
});

it('does not write a page that has no place for its tables', () => {
  expect(() => renderedPage('# Engines\n', [])).toThrow('no place for the table of operations');
});
