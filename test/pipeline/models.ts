import { makeModel } from '../../src/pipeline/load-models.ts';
import type { Layer, Model } from '../../src/pipeline/model.ts';
import { type ModelFile, modelFile } from '../../src/pipeline/model-file.ts';

/** A model for tests: `layer.name`, and what its YAML says besides the usual. */
export function testModel(id: string, sql = 'SELECT 1 AS x', file: Partial<ModelFile> = {}): Model {
  const [layer = '', name = ''] = id.split('.');
  const bronze = layer === 'bronze';
  const usual = bronze
    ? { materialisation: 'append', source: { path: 'x.csv', format: 'csv' } }
    : { materialisation: 'full' };
  const checked = modelFile.parse({ version: 1, ...usual, ...file });
  return makeModel(layer as Layer, name, sql, `models/${layer}/${name}.sql`, checked);
}
