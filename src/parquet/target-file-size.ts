/** DESIGN default of `write.target-file-size-bytes`, as in Java. */
export const DEFAULT_TARGET_FILE_SIZE = 512 * 1024 * 1024;
