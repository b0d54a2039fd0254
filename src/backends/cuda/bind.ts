/** The functions of a library by a table of their C prototypes. */
import { SlalomError } from "../../base/errors.js";
import type { NativeFunction, NativeLibrary } from "../../native/library.js";

/** C prototypes by the function's name; pointers are "uint64". */
export type Prototypes = Readonly<Record<string, string>>;

export type Bound<P extends Prototypes> = { readonly [N in keyof P]: NativeFunction };

/** @throws SlalomError "library" for a library that lacks one, as an older one may */
export function bind<P extends Prototypes>(library: NativeLibrary, title: string, prototypes: P): Bound<P> {
  const functions = Object.entries(prototypes).map(([name, prototype]) => {
    const found = library.optional(prototype);
    if (found === undefined) {
      throw new SlalomError(
        "library",
        `${title} at ${library.path} has no ${name}; expected a newer one: CUDA 11.4 or later, cuDNN 8 or 9.`,
      );
    }
    return [name, found];
  });
  return Object.fromEntries(functions) as Bound<P>;
}
