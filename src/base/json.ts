/** What JSON can hold; NaN and infinities aside, which the run store writes as strings. Undefined fields are left out. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };
