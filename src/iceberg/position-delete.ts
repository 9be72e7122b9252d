import type { NestedField } from './types.ts';

/** Ids of the columns of position delete files (spec: "Reserved Field IDs"). */
export const DELETE_FILE_PATH_ID = 2147483546;
export const DELETE_FILE_POS_ID = 2147483545;

/** The columns of a position delete file (spec: "Position Delete Files"). */
export const POSITION_DELETE_FIELDS: readonly [NestedField, NestedField] = [
  { id: DELETE_FILE_PATH_ID, name: 'file_path', required: true, type: 'string' },
  { id: DELETE_FILE_POS_ID, name: 'pos', required: true, type: 'long' },
];
