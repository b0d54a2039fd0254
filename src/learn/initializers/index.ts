/** Initializers: where parameters start. */
export { type Fans, type Initializer, namedInitializer } from "./initializer.js";
export { constantValue, normal, truncatedNormal, uniform, zeroValues } from "./plain.js";
export { glorotNormal, glorotUniform, heNormal, heUniform, pytorchDefault } from "./scaled.js";
