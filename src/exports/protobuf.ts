/**
 * Protobuf messages from tables of their fields, so that no code is generated: the wire format is
 * `@bufbuild/protobuf`'s, the types of the values follow from the tables.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

export interface Field<T> {
  /** Writes the field's number and its value. */
  write(writer: BinaryWriter, value: T): void;
}

export interface Message<T extends object> {
  write(writer: BinaryWriter, value: T): void;
  encode(value: T): Uint8Array;
}

/** What `message(fields)` takes: absent fields are left out, all others are written, zeros too. */
export type FieldValues<F> = { readonly [K in keyof F]?: F[K] extends Field<infer T> ? T : never };

/** The values of a message. */
export type ValueOf<M> = M extends Message<infer T> ? T : never;

/**
 * A message of these fields, written in their order.
 * @example const point = message({ x: double(1), y: double(2) }); point.encode({ x: 1, y: 2 })
 */
export function message<F extends Record<string, Field<never>>>(fields: F): Message<FieldValues<F>> {
  const write = (writer: BinaryWriter, values: FieldValues<F>): void => {
    for (const name in fields) {
      const value = values[name];
      if (value !== undefined) fields[name].write(writer, value as never);
    }
  };
  return {
    write,
    encode(values) {
      const writer = new BinaryWriter();
      write(writer, values);
      return writer.finish();
    },
  };
}

/** int32, int64 and enumerations: one form on the wire. */
export const integer = (number: number): Field<number> => ({
  write: (writer, value) => writer.tag(number, WireType.Varint).int64(value),
});

/** What float32 cannot hold becomes infinite. */
export const float = (number: number): Field<number> => ({
  write: (writer, value) => writer.tag(number, WireType.Bit32).float(Math.fround(value)),
});

export const double = (number: number): Field<number> => ({
  write: (writer, value) => writer.tag(number, WireType.Bit64).double(value),
});

export const text = (number: number): Field<string> => ({
  write: (writer, value) => writer.tag(number, WireType.LengthDelimited).string(value),
});

export const bytes = (number: number): Field<Uint8Array> => ({
  write: (writer, value) => writer.tag(number, WireType.LengthDelimited).bytes(value),
});

export const nested = <T extends object>(number: number, type: Message<T>): Field<T> => ({
  write(writer, value) {
    writer.tag(number, WireType.LengthDelimited).fork();
    type.write(writer, value);
    writer.join();
  },
});

export const repeated = <T>(field: Field<T>): Field<readonly T[]> => ({
  write(writer, values) {
    for (const value of values) field.write(writer, value);
  },
});

/** map<string, T>: an entry a name, sorted, so that equal maps are equal bytes. */
export const mapped = <T extends object>(
  number: number,
  type: Message<T>,
): Field<Readonly<Record<string, T>>> => {
  const entry = message({ key: text(1), value: nested(2, type) });
  const entries = repeated(nested(number, entry));
  return {
    write: (writer, values) =>
      entries.write(
        writer,
        Object.keys(values)
          .sort()
          .map((key) => ({ key, value: values[key] })),
      ),
  };
};
