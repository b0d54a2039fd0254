/** Products and convolutions on a GPU in every precision, by libraries and by our own kernels. */
import { gpu, gpuAlone } from "./gpu.js";
import { products } from "./products.js";

products("cuda", "float32", () => gpu());
products("cuda", "tf32", () => gpu({ precision: "tf32" }));
products("cuda", "bfloat16", () => gpu());
products("cuda without libraries", "float32", () => gpuAlone());
products("cuda without libraries", "bfloat16", () => gpuAlone());
