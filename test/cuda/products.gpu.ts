/** Products and convolutions on a GPU in every precision, by libraries and by our own kernels. */
import { gpuAlone, gpuByLibraries } from "./gpu.js";
import { products } from "./products.js";

products("cuda by libraries", "float32", () => gpuByLibraries());
products("cuda by libraries", "tf32", () => gpuByLibraries({ precision: "tf32" }));
products("cuda by libraries", "bfloat16", () => gpuByLibraries());
products("cuda without libraries", "float32", () => gpuAlone());
products("cuda without libraries", "tf32", () => gpuAlone({ precision: "tf32" }));
products("cuda without libraries", "bfloat16", () => gpuAlone());
products("cuda without libraries", "tf32", () => gpuAlone({ precision: "tf32" }));
