/**
 * An ONNX graph in the making. A tensor of ours lies in it in whatever order of axes it was computed, without the axes
 * along which it only repeats: transposes and expansions are written where an operation needs them, and nowhere else.
 */
import { allocate, type DType, dtypeOf, type TypedArray } from "../../base/dtype.js";
import { invariant } from "../../base/errors.js";
import { operations } from "../../graph/operations/index.js";
import { type Extent, isOpen } from "./extents.js";
import { type ElementType, elementTypes } from "./messages.js";

/** A tensor of a graph of ours as it lies in the ONNX graph. */
export interface Value {
  readonly name: string;
  /** "bool": the result of a comparison, uint8 in our graph. */
  readonly type: ElementType;
  /** The tensor's extents, by its own axes. */
  readonly shape: readonly Extent[];
  /** Which of its axes lies at each place; along the others, which lie nowhere, it repeats. */
  readonly axes: readonly number[];
  /** Its elements where they are known, in the order of `axes`; such a value is written once it is needed. */
  readonly data?: TypedArray;
}

export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** All axes of a shape in their own order. */
export const allAxes = (shape: readonly unknown[]): number[] => shape.map((_, axis) => axis);

/** One operation; its result has its name. */
export interface OnnxNode {
  readonly opType: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly attributes: Attributes;
}

/** Values that the file holds. */
export interface OnnxInitializer {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Row-major, little-endian. */
  readonly bytes: Uint8Array;
}

/** What goes in, or comes out. */
export interface OnnxPort {
  readonly name: string;
  readonly type: DType;
  readonly shape: readonly Extent[];
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

export class OnnxBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers: OnnxInitializer[] = [];
  private readonly inputs: OnnxPort[] = [];
  private readonly names: Set<string>;
  /** What was written before, by what it is. */
  private readonly written = new Map<string, string>();
  private readonly ids = new Map<TypedArray, number>();
  private readonly scalars = new Map<string, TypedArray>();

  /** @param reserved names of outputs, which nothing else gets */
  constructor(reserved: readonly string[]) {
    this.names = new Set(reserved);
  }

  /** What the model is given when it runs. */
  input(wished: string, type: DType, shape: readonly Extent[]): Value {
    const name = this.unique(wished);
    this.inputs.push({ name, type, shape });
    return { name, type, shape, axes: allAxes(shape) };
  }

  /** The graph that gives `outputs`, row-major, under their names. */
  finish(outputs: Readonly<Record<string, Value>>): OnnxGraph {
    const final = new Map<string, string>();
    const ports = Object.entries(outputs).map(([name, given]): OnnxPort => {
      const value = this.asNumbers(given);
      const last = this.filled(value, allAxes(value.shape));
      const isFree = !final.has(last) && this.nodes.some((node) => node.name === last);
      if (isFree) final.set(last, name);
      else this.nodes.push({ opType: "Identity", name, inputs: [last], attributes: {} });
      return { name, type: value.type as DType, shape: value.shape };
    });
    const renamed = (name: string): string => final.get(name) ?? name;
    return {
      nodes: this.nodes.map(({ name, inputs, ...node }) => ({
        ...node,
        name: renamed(name),
        inputs: inputs.map(renamed),
      })),
      initializers: this.initializers,
      inputs: this.inputs,
      outputs: ports,
    };
  }

  /** Writes one operation; gives the name of its result. Equal operations are written once. */
  node(opType: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.once(JSON.stringify([opType, inputs, attributes]), () => {
      const name = this.unique(opType.charAt(0).toLowerCase() + opType.slice(1));
      this.nodes.push({ opType, name, inputs, attributes });
      return name;
    });
  }

  /** Writes an operation that computes each element of its result from those at the same place. */
  elementwise(
    opType: string,
    operands: readonly Value[],
    options: { readonly type?: Value["type"]; readonly attributes?: Attributes } = {},
  ): Value {
    const axes = commonAxes(operands);
    const inputs = operands.map((operand) => {
      // Axes in front that it lacks are added by the operation itself.
      const from = axes.findIndex((axis) => operand.axes.includes(axis));
      return this.arranged(operand, from < 0 ? [] : axes.slice(from));
    });
    return {
      name: this.node(opType, inputs, options.attributes),
      type: options.type ?? operands[0].type,
      shape: operands[0].shape,
      axes,
    };
  }

  /** A value that is the same everywhere in a tensor of that shape. */
  scalar(value: number, type: DType, shape: readonly Extent[]): Value {
    const key = `${type} ${Object.is(value, -0) ? "-0" : value}`;
    const data = this.scalars.get(key) ?? allocate(type, 1).fill(value);
    this.scalars.set(key, data);
    return { name: "constant", type, shape, axes: [], data };
  }

  /** A list of int64, as operations take shapes and axes. */
  integers(values: readonly number[]): string {
    return this.once(`int64 ${values}`, () =>
      this.initializer(
        `integers_${values.join("_")}`,
        "int64",
        [values.length],
        BigInt64Array.from(values, BigInt),
      ),
    );
  }

  /** The elements of a row-major value in another shape. */
  reshaped(name: string, shape: readonly Extent[]): string {
    // One open extent is what the others leave.
    const isSimple = shape.filter(isOpen).length <= 1;
    const target = isSimple
      ? this.integers(shape.map((extent) => (isOpen(extent) ? -1 : extent)))
      : this.extents(shape);
    return this.node("Reshape", [name, target]);
  }

  /** The extents as a list of int64, computed where the batch size is open. */
  extents(extents: readonly Extent[]): string {
    if (!extents.some(isOpen)) return this.integers(extents as readonly number[]);
    const parts = extents.map((extent) => {
      if (!isOpen(extent)) return this.integers([extent]);
      const { input, place } = this.batchPlace();
      const batch = this.node("Shape", [input], { start: place, end: place + 1 });
      return extent.batches === 1 ? batch : this.node("Mul", [batch, this.integers([extent.batches])]);
    });
    return parts.length === 1 ? parts[0] : this.node("Concat", parts, { axis: 0 });
  }

  /** The name of `value` with exactly these axes at these places; those that it lacks have extent 1. */
  arranged(value: Value, axes: readonly number[]): string {
    const present = axes.filter((axis) => value.axes.includes(axis));
    invariant(present.length === value.axes.length, `arranged: axes [${axes}] lack some of [${value.axes}]`);
    const permutation = present.map((axis) => value.axes.indexOf(axis));
    const missing = allAxes(axes).filter((place) => !present.includes(axes[place]));
    if (value.data) return this.known(value, value.data, permutation, missing);
    const moves = permutation.some((from, to) => from !== to);
    const moved = moves ? this.node("Transpose", [value.name], { perm: permutation }) : value.name;
    return missing.length === 0 ? moved : this.node("Unsqueeze", [moved, this.integers(missing)]);
  }

  /** As `arranged`, repeated along the axes that it lacks. */
  filled(value: Value, axes: readonly number[]): string {
    const name = this.arranged(value, axes);
    const wanted = axes.map((axis) => (value.axes.includes(axis) ? 1 : value.shape[axis]));
    return wanted.every((extent) => extent === 1) ? name : this.node("Expand", [name, this.extents(wanted)]);
  }

  /** `value` as our graph has it: truth is 0 or 1 in uint8. */
  asNumbers(value: Value): Value {
    return value.type === "bool" ? this.cast(value, "uint8") : value;
  }

  cast(value: Value, type: Value["type"]): Value {
    if (value.type === type) return value;
    return this.elementwise("Cast", [value], { type, attributes: { to: elementTypes[type] } });
  }

  /** The elements that are known, with axes moved and others of extent 1 put in, as an initializer. */
  private known(
    { name, shape, axes }: Value,
    data: TypedArray,
    permutation: readonly number[],
    missing: readonly number[],
  ): string {
    const id = this.ids.get(data) ?? this.ids.size;
    this.ids.set(data, id);
    return this.once(`known ${id} [${axes}] [${permutation}] [${missing}]`, () => {
      const type = dtypeOf(data);
      const extents = axes.map((axis) => shape[axis] as number);
      const moved = permutation.map((place) => extents[place]);
      const attributes = { permutation };
      const elements = operations.transpose.evaluate([{ shape: extents, dtype: type, data }], attributes, {
        shape: moved,
        dtype: type,
      });
      const dims = missing.reduce((sofar, place) => sofar.toSpliced(place, 0, 1), moved);
      return this.initializer(name, type, dims, elements);
    });
  }

  private initializer(
    wished: string,
    type: ElementType,
    dims: readonly number[],
    { buffer, byteOffset, byteLength }: ArrayBufferView,
  ): string {
    const name = this.unique(wished);
    this.initializers.push({ name, type, dims, bytes: new Uint8Array(buffer, byteOffset, byteLength) });
    return name;
  }

  /** An input and the place of an axis of it that is as long as the batch. */
  private batchPlace(): { input: string; place: number } {
    for (const { name, shape } of this.inputs) {
      const place = shape.findIndex((extent) => isOpen(extent) && extent.batches === 1);
      if (place >= 0) return { input: name, place };
    }
    invariant(false, "an open extent without an input that has it");
  }

  private once(key: string, write: () => string): string {
    const name = this.written.get(key) ?? write();
    this.written.set(key, name);
    return name;
  }

  private unique(wished: string): string {
    let name = wished;
    for (let n = 2; this.names.has(name); n++) name = `${wished}_${n}`;
    this.names.add(name);
    return name;
  }
}

/** The order in which operands of one shape meet: that of the fullest, or all of theirs in their own order. */
function commonAxes(values: readonly Value[]): readonly number[] {
  const fullest = values.reduce((best, value) => {
    const isFuller = value.axes.length > best.axes.length;
    // At a tie the known one gives way: it costs nothing to move.
    const isComputed = value.axes.length === best.axes.length && best.data && !value.data;
    return isFuller || isComputed ? value : best;
  });
  const all = new Set(values.flatMap(({ axes }) => axes));
  return all.size === fullest.axes.length ? fullest.axes : [...all].sort((a, b) => a - b);
}
