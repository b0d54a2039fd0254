/** The passes from graph to graph, in order; each keeps every output's type and, up to rounding, its value. */
import type { Tensor } from "../graph/tensor.js";
import { rewrite } from "../graph/traverse.js";
import { verify } from "../graph/verify.js";
import { decompose } from "./passes/decompose.js";
import { shareCommon } from "./passes/shareCommon.js";
import { simplify } from "./passes/simplify.js";

interface Pass {
  readonly name: string;
  readonly run: (outputs: readonly Tensor[]) => Tensor[];
}

export const passes: readonly Pass[] = [
  { name: "decompose", run: (outputs) => rewrite(outputs, decompose) },
  { name: "simplify", run: (outputs) => rewrite(outputs, simplify) },
  { name: "shareCommon", run: (outputs) => rewrite(outputs, shareCommon()) },
];

/** All passes in order; `check` verifies the graph after each. */
export function optimize(outputs: readonly Tensor[], options: { check?: boolean } = {}): Tensor[] {
  return passes.reduce(
    (graph, pass) => {
      const next = pass.run(graph);
      if (options.check) verify(next, `after pass ${pass.name}`);
      return next;
    },
    [...outputs],
  );
}
