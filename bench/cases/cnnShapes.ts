/** The parameters of exercise 3's CNN. */
export const cnnShapes: readonly (readonly number[])[] = [
  [32, 5, 5, 1],
  [32],
  [64, 5, 5, 32],
  [64],
  [3136, 1024],
  [1024],
  [1024, 10],
  [10],
];

/** 3,274,634 numbers. */
export const cnnNumbers = cnnShapes
  .map((shape) => shape.reduce((product, extent) => product * extent, 1))
  .reduce((sum, count) => sum + count, 0);
