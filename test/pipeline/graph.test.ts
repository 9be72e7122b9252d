import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../src/pipeline/graph.ts';
import { selectModels } from '../../src/pipeline/select.ts';
import { testModel } from './models.ts';

const models = [
  testModel('bronze.a'),
  testModel('gold.fct', '', { tags: { domain: 'sales' } }),
  testModel('gold.mart'),
  testModel('silver.b'),
];
const reads = new Map([
  ['bronze.a', ['source']],
  ['silver.b', ['bronze.a']],
  ['gold.fct', ['silver.b']],
  ['gold.mart', ['gold.fct']],
]);

describe('buildGraph', () => {
  it('puts every input before its reader', () => {
    const { order } = buildGraph([...models].reverse(), reads);
    expect(order.map(({ id }) => id)).toEqual(['bronze.a', 'silver.b', 'gold.fct', 'gold.mart']);
  });

  it('refuses unknown tables with the nearest name, circles and reads up the layers', () => {
    const with_ = (id: string, names: string[]) => () => buildGraph(models, new Map([...reads, [id, names]]));
    expect(with_('silver.b', ['bronze.aa'])).toThrow(
      expect.objectContaining({ hint: 'did you mean bronze.a?' }),
    );
    expect(with_('gold.fct', ['gold.mart'])).toThrow(
      /gold\.fct -> gold\.mart -> gold\.fct|gold\.mart -> gold\.fct -> gold\.mart/,
    );
    expect(with_('silver.b', ['gold.fct'])).toThrow(/a later layer/);
    expect(with_('bronze.a', ['silver.b'])).toThrow(/a bronze model reads source/);
  });
});

describe('selectModels', () => {
  const graph = buildGraph(models, reads);
  const select = (...selectors: string[]) => [...selectModels(graph, { select: selectors })].sort();

  it('follows dbt: names, globs, tags, + on either side, unions', () => {
    expect(select('fct')).toEqual(['gold.fct']);
    expect(select('gold.*')).toEqual(['gold.fct', 'gold.mart']);
    expect(select('+gold.fct')).toEqual(['bronze.a', 'gold.fct', 'silver.b']);
    expect(select('silver.b+')).toEqual(['gold.fct', 'gold.mart', 'silver.b']);
    expect(select('tag:domain=sales', 'bronze.a')).toEqual(['bronze.a', 'gold.fct']);
    expect(select()).toHaveLength(4);
  });

  it('follows dbt: steps, @, intersection, exclusion, paths', () => {
    expect(select('1+gold.mart')).toEqual(['gold.fct', 'gold.mart']);
    expect(select('2+gold.mart')).toEqual(['gold.fct', 'gold.mart', 'silver.b']);
    expect(select('bronze.a+1')).toEqual(['bronze.a', 'silver.b']);
    expect(select('1+silver.b+1')).toEqual(['bronze.a', 'gold.fct', 'silver.b']);
    expect(select('@silver.b')).toEqual(['bronze.a', 'gold.fct', 'gold.mart', 'silver.b']);
    expect(select('gold.*,tag:domain')).toEqual(['gold.fct']);
    expect(select('+fct,silver.* gold.mart')).toEqual(['gold.mart', 'silver.b']);
    expect(select('path:models/gold')).toEqual(['gold.fct', 'gold.mart']);
    expect(select('models/gold/mart.sql')).toEqual(['gold.mart']);
    const rest = selectModels(graph, { select: ['silver.b+'], exclude: ['gold.fct'] });
    expect([...rest].sort()).toEqual(['gold.mart', 'silver.b']);
    expect(selectModels(graph, { exclude: ['gold.*'] }).size).toBe(2);
    expect(() => select('silver.b,gold.fct')).toThrow(/leaves no model/);
    expect(() => select('@silver.b+')).toThrow(/is no selector/);
  });

  it('refuses what matches nothing, with the nearest name', () => {
    expect(() => select('fctt')).toThrow(
      expect.objectContaining({ kind: 'usage', hint: 'did you mean fct?' }),
    );
    expect(() => select('tag:domain=hr')).toThrow(/matches no model/);
  });
});
