/** A graph as text: one line a node, in the order of evaluation. */
import { formatType } from "../base/shape.js";
import type { Tensor } from "./tensor.js";
import { topologicalOrder } from "./traverse.js";

/** `%3 = mul %1 %2 : f32[4]`, then the outputs by name. Full and variable leaves are written in place. */
export function formatGraph(outputs: Readonly<Record<string, Tensor>>): string {
  const names = new Map<Tensor, string>();
  const lines: string[] = [];
  let count = 0;
  for (const node of topologicalOrder(Object.values(outputs))) {
    if (node.op === "full") names.set(node, `${node.attributes.value}`);
    else if (node.op === "variable") names.set(node, node.attributes.name);
    else {
      names.set(node, `%${count++}`);
      const operands = node.inputs.map((input) => names.get(input)).join(" ");
      lines.push(
        `${names.get(node)} = ${[node.op, operands, formatAttributes(node)].filter((part) => part !== "").join(" ")} : ${formatType(node)}`,
      );
    }
  }
  for (const [name, output] of Object.entries(outputs))
    lines.push(`${name} <- ${names.get(output)} : ${formatType(output)}`);
  return lines.join("\n");
}

function formatAttributes(node: Tensor): string {
  if (node.op === "constant") return `{${node.attributes.data.length} values}`;
  return (
    Object.entries(node.attributes)
      // JSON would write an infinite padding as null.
      .map(([key, value]) => `${key}=${typeof value === "number" ? value : JSON.stringify(value)}`)
      .join(" ")
  );
}
