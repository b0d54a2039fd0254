/**
 * The random numbers of a graph, drawn by a backend: every backend draws the bits that `base/random.ts` says, and a
 * compiled program many times faster than the plain loops of `evaluate`.
 */
import { sizeOf } from "../base/shape.js";
import type { Backend } from "../compile/backend.js";
import {
  broadcastTo,
  constantArray,
  reshape,
  slice,
  substitute,
  type Tensor,
  topologicalOrder,
  variable,
} from "../graph/index.js";

/** Fewer numbers are drawn sooner than a program for them is compiled. */
const fewestNumbers = 1 << 17;

/** `outputs` with what they draw by a key as constants; or as they are, where these are few numbers. */
export function drawnBy(backend: Pick<Backend, "compile">, outputs: readonly Tensor[]): Tensor[] {
  const draws = topologicalOrder(outputs).filter(isDraw);
  if (draws.reduce((sum, { shape }) => sum + sizeOf(shape), 0) < fewestNumbers) return [...outputs];
  // Keys are variables: programs of all seeds are one, which a backend may have compiled before.
  const keys = variable("keys", [draws.length, 2], "int32");
  const named = draws.map((draw, i) => ({ draw, name: `draw ${i}` }));
  const executable = backend.compile({
    name: "random numbers",
    variables: {
      keys,
      ...Object.fromEntries(named.map(({ draw, name }) => [name, variable(name, draw.shape, draw.dtype)])),
    },
    entries: {
      draw: {
        updates: Object.fromEntries(named.map(({ draw, name }, i) => [name, withKey(draw, keys, i)])),
        traces: {},
      },
    },
    traceCapacity: 1,
  });
  try {
    executable.write(
      "keys",
      draws.flatMap(({ inputs }) => inputs.slice(0, 2).map(wordOf)),
    );
    executable.run("draw");
    const constants = named.map(({ draw, name }) =>
      constantArray(executable.read(name), draw.shape, draw.dtype),
    );
    return substitute(outputs, new Map(draws.map((draw, i) => [draw, constants[i]])));
  } finally {
    executable.release();
  }
}

const drawing: readonly Tensor["op"][] = ["randomBits", "randomUniform", "randomNormal"];

/** Whether the tensor is drawn by a key that is known, at places that are. */
const isDraw = ({ op, inputs }: Tensor): boolean =>
  drawing.includes(op) && inputs[0].op === "full" && inputs[1].op === "full" && inputs[2].op === "iota";

const wordOf = (word: Tensor): number => (word as Tensor & { op: "full" }).attributes.value;

/** The draw by row `row` of `keys`. */
function withKey(draw: Tensor, keys: Tensor, row: number): Tensor {
  const words = [0, 1].map((column) => {
    const ofRow = slice(keys, { axis: 0, start: row, stop: row + 1 });
    const word = slice(ofRow, { axis: 1, start: column, stop: column + 1 });
    return broadcastTo(reshape(word, []), draw.shape);
  });
  return { ...draw, inputs: [...words, draw.inputs[2]] } as Tensor;
}
