/** The order of classes that are known by their names alone. */

/** The names in the order of their indices: as numbers if all are, else as text by code units. */
export const inClassOrder = (names: readonly string[]): string[] =>
  areNumbers(names) ? [...names].sort((a, b) => Number(a) - Number(b)) : [...names].sort();

export const areNumbers = (names: readonly string[]): boolean =>
  names.every((name) => name.trim() !== "" && Number.isFinite(Number(name)));
