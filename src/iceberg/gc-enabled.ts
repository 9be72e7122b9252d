import type { TableMetadata } from './table-metadata.ts';

/**
 * False where a table says that its files may be others' too (`gc.enabled`, spec: "Table behavior properties"): none of them is deleted. Read as Java reads booleans: all
 * but `true` is false. Pure.
 */
export function gcEnabled({ properties }: Pick<TableMetadata, 'properties'>): boolean {
  const value = Object.hasOwn(properties, 'gc.enabled') ? properties['gc.enabled'] : undefined;
  return value === undefined || value.toLowerCase() === 'true';
}
