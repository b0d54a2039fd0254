/** Calls of primitives are made for fixed addresses, and made once for each that a plan uses: mostly there is one. */
export function madeOnce<Places extends readonly number[]>(
  make: (...places: Places) => () => void,
): (...places: Places) => void {
  const made = new Map<string, () => void>();
  return (...places) => {
    const key = places.join();
    let call = made.get(key);
    if (call === undefined) {
      call = make(...places);
      made.set(key, call);
    }
    call();
  };
}
