/** The device functions that kernels call, in the order in which they build on one another. */
import type { DeviceLibrary } from "../part.js";
import { arithmetic } from "./arithmetic.js";
import { convolutions } from "./convolutions.js";
import { folds } from "./folds.js";
import { instructions } from "./instructions.js";
import { matrices } from "./matrices.js";
import { pooling } from "./pooling.js";
import { products } from "./products.js";
import { random } from "./random.js";
import { scatter } from "./scatter.js";
import { tileCopies } from "./tileCopies.js";

const libraries: { readonly [L in DeviceLibrary]: string } = {
  folds,
  random,
  instructions,
  products: [matrices, tileCopies, products].join(""),
  convolutions,
  pooling,
  scatter,
};

/** What every program has, and the libraries named. */
export const deviceSource = (used: ReadonlySet<DeviceLibrary>): string =>
  [
    arithmetic,
    ...(Object.keys(libraries) as DeviceLibrary[])
      .filter((name) => used.has(name))
      .map((name) => libraries[name]),
  ].join("");
