/** The messages of an ONNX file, as far as Slalom writes them. https://onnx.ai/onnx/intro/concepts.html, onnx.proto */
import type { DType } from "../../base/dtype.js";
import { bytes, integer, message, nested, repeated, text, type ValueOf } from "../protobuf.js";

/** Element types: those of graphs, and two that ONNX alone has. */
export type ElementType = DType | "int64" | "bool";

/** TensorProto.DataType. */
export const elementTypes: { readonly [T in ElementType]: number } = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
};

/** AttributeProto.AttributeType: integers are all that our operations have. */
export const attributeTypes = { integer: 2, integers: 7 } as const;

const tensorProto = message({
  dims: repeated(integer(1)),
  dataType: integer(2),
  name: text(8),
  /** Row-major, little-endian. */
  rawData: bytes(9),
});

const attributeProto = message({
  name: text(1),
  i: integer(3),
  ints: repeated(integer(8)),
  type: integer(20),
});

const nodeProto = message({
  input: repeated(text(1)),
  output: repeated(text(2)),
  name: text(3),
  opType: text(4),
  attribute: repeated(nested(5, attributeProto)),
});

const dimension = message({ dimValue: integer(1), dimParam: text(2) });
const tensorShapeProto = message({ dim: repeated(nested(1, dimension)) });
const tensorTypeProto = message({ elemType: integer(1), shape: nested(2, tensorShapeProto) });
const typeProto = message({ tensorType: nested(1, tensorTypeProto) });

const valueInfoProto = message({ name: text(1), type: nested(2, typeProto) });

const graphProto = message({
  node: repeated(nested(1, nodeProto)),
  name: text(2),
  initializer: repeated(nested(5, tensorProto)),
  input: repeated(nested(11, valueInfoProto)),
  output: repeated(nested(12, valueInfoProto)),
});

const operatorSetId = message({ domain: text(1), version: integer(2) });
const stringEntry = message({ key: text(1), value: text(2) });

export const modelProto = message({
  irVersion: integer(1),
  producerName: text(2),
  producerVersion: text(3),
  docString: text(6),
  graph: nested(7, graphProto),
  opsetImport: repeated(nested(8, operatorSetId)),
  metadataProps: repeated(nested(14, stringEntry)),
});

export type GraphProto = ValueOf<typeof graphProto>;
export type ValueInfoProto = ValueOf<typeof valueInfoProto>;
