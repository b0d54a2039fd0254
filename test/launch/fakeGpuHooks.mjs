/** Who asks for the built CUDA backend, or for what there is of CUDA, gets the fake. */
const fake = new URL("./fakeGpuBackend.mjs", import.meta.url).href;

export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  return /\/dist\/backends\/cuda\/(index|probe)\.js$/.test(found.url) ? { ...found, url: fake } : found;
}
