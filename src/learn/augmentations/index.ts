/** Augmentations: random changes of training images, made inside the program. */
export { type AffineOptions, affine, rotation, scaling, shift } from "./affine.js";
export type { Augmentation } from "./augmentation.js";
export { cutout } from "./cutout.js";
export { type ElasticOptions, elastic } from "./elastic.js";
export { flip } from "./flip.js";
