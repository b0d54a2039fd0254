/** Transformations of graphs: differentiation and batching. */
export { grad, hessianVectorProduct, vjp } from "./grad.js";
export { withProductPrecision } from "./productPrecision.js";
export { sumsInHalves } from "./sumsInHalves.js";
export { batch, type VmapOptions, vmap } from "./vmap.js";
