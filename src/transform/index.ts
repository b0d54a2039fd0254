/** Transformations of graphs: differentiation and batching. */
export { grad, hessianVectorProduct, vjp } from "./grad.js";
export { batch, type VmapOptions, vmap } from "./vmap.js";
