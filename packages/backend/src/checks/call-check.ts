import { type ErrorCode, MambaError } from '../errors.js';
import { type ComplexTensor, type DType, type MaybeComplex, sizeOf, type Tensor } from '../tensor.js';

/** The types that ops compute in. */
export type FloatDType = 'f32' | 'f64';

/** One axis of an expected shape: a letter that stands for a size, or the size. */
export type Axis = string | number;

/**
 * Checks the arguments of one call of an op. Shapes are written in letters, as the contract writes them: the first
 * tensor that shows a letter fixes its size, later ones must agree. Every message names the op, the argument, what it
 * got and what was expected.
 *
 * An axis that has a letter must not be empty; `...` as the first axis stands for any leading ones.
 */
export class CallCheck {
  readonly op: string;
  readonly #sizes = new Map<string, number>();
  #leading: readonly number[] | undefined;
  #float: { name: string; dtype: FloatDType } | undefined;

  constructor(op: string) {
    this.op = op;
  }

  /** A tensor of the type that the call computes in: f32 or f64, the same for all of them. */
  float(name: string, x: Tensor, axes: readonly Axis[]): void {
    this.floatType(name, x);
    this.shape(name, x, axes);
  }

  optionalFloat(name: string, x: Tensor | undefined, axes: readonly Axis[]): void {
    if (x !== undefined) this.float(name, x, axes);
  }

  /** Both parts of a complex tensor. */
  complexFloat(name: string, x: ComplexTensor, axes: readonly Axis[]): void {
    this.float(`${name}.re`, x.re, axes);
    this.float(`${name}.im`, x.im, axes);
  }

  /** A tensor that must be complex, or must not be, as A is. */
  matchingFloat(name: string, x: MaybeComplex, complex: boolean, axes: readonly Axis[]): void {
    this.present(name, x);
    if ('re' in x !== complex) {
      this.fail(
        'DTYPE',
        complex
          ? `${name} must be complex, { re, im }, because A is`
          : `${name} is complex, but A is real: give A as { re, im } too`,
      );
    }
    if ('re' in x) this.complexFloat(name, x, axes);
    else this.float(name, x, axes);
  }

  /** Token ids, targets, sequence indices. */
  int32(name: string, x: Tensor, axes: readonly Axis[]): void {
    this.present(name, x);
    if (x.dtype !== 'i32') this.fail('DTYPE', `${name} is ${x.dtype}, expected i32`);
    this.shape(name, x, axes);
  }

  /** A weight: the type of the call, or one of the storage types. */
  weight(name: string, x: Tensor, axes: readonly Axis[]): void {
    this.present(name, x);
    if (!isStorageType(x.dtype)) this.floatType(name, x);
    this.shape(name, x, axes);
  }

  shape(name: string, x: Tensor, axes: readonly Axis[]): void {
    this.present(name, x);
    const rest = axes[0] === '...' ? axes.slice(1) : axes;
    const extra = x.shape.length - rest.length;
    let good = axes[0] === '...' ? extra >= 0 : extra === 0;
    if (good && axes[0] === '...') good = this.#bindLeading(name, x, x.shape.slice(0, extra));
    for (let i = 0; good && i < rest.length; i++) good = this.#bind(name, x, rest[i], x.shape[extra + i]);
    if (!good) {
      this.fail('SHAPE', `${name} has shape ${show(x.shape)}, expected ${this.#expected(axes)}`);
    }
  }

  /** Fixes the type of the call, or compares with it. */
  floatType(name: string, x: Tensor): void {
    this.present(name, x);
    if (x.dtype !== 'f32' && x.dtype !== 'f64') {
      this.fail(
        'DTYPE',
        `${name} is ${x.dtype}, expected ${this.#float?.dtype ?? 'f32 (or f64, where the backend has it)'}`,
      );
    }
    this.#float ??= { name, dtype: x.dtype };
    if (x.dtype !== this.#float.dtype) {
      const { name: first, dtype } = this.#float;
      this.fail(
        'DTYPE',
        `${name} is ${x.dtype}, but ${first} is ${dtype}: all floating inputs of a call have one type`,
      );
    }
  }

  /** Not `undefined`, `null` or a plain array: callers without a type checker get this far. */
  present(name: string, x: MaybeComplex): void {
    if (typeof x === 'object' && x !== null && ('re' in x || ('shape' in x && 'dtype' in x))) return;
    const got = x === undefined ? 'nothing' : Array.isArray(x) ? 'an array' : String(x);
    this.fail(
      'INVALID_ARGUMENT',
      `${name} must be a tensor, got ${got}: make one with backend.tensor(data, shape)`,
    );
  }

  number(name: string, value: number, good: boolean, expected: string): void {
    if (typeof value !== 'number' || !good)
      this.fail('INVALID_ARGUMENT', `${name} must be ${expected}, got ${value}`);
  }

  /** The size that a letter stands for. */
  size(letter: string): number {
    const size = this.#sizes.get(letter);
    if (size === undefined) throw new RangeError(`${this.op}: no tensor has shown an axis ${letter} yet`);
    return size;
  }

  /** The leading axes. */
  get leading(): readonly number[] {
    return this.#leading ?? [];
  }

  /** Product of the leading axes. */
  get rows(): number {
    return sizeOf(this.leading);
  }

  /** The type that the call computes in. */
  get dtype(): FloatDType {
    if (this.#float === undefined) throw new RangeError(`${this.op}: no floating tensor was checked yet`);
    return this.#float.dtype;
  }

  fail(code: ErrorCode, message: string): never {
    throw new MambaError(code, `${this.op}: ${message}`);
  }

  #bind(name: string, x: Tensor, axis: Axis, size: number): boolean {
    if (typeof axis === 'number') return axis === size;
    this.#notEmpty(name, x, size);
    const known = this.#sizes.get(axis);
    if (known === undefined) this.#sizes.set(axis, size);
    return known === undefined || known === size;
  }

  #bindLeading(name: string, x: Tensor, sizes: readonly number[]): boolean {
    for (const size of sizes) this.#notEmpty(name, x, size);
    this.#leading ??= sizes;
    return sameShape(this.#leading, sizes);
  }

  #notEmpty(name: string, x: Tensor, size: number): void {
    if (size < 1) this.fail('SHAPE', `${name} has shape ${show(x.shape)}: no axis may be empty here`);
  }

  /** The shape in letters, and in sizes as far as they are known. */
  #expected(axes: readonly Axis[]): string {
    const sizes = axes.flatMap((axis): readonly Axis[] => {
      if (axis === '...') return this.#leading ?? ['...'];
      return [typeof axis === 'number' ? axis : (this.#sizes.get(axis) ?? axis)];
    });
    const letters = show(axes);
    return show(sizes) === letters ? letters : `${letters} = ${show(sizes)}`;
  }
}

export function isStorageType(dtype: DType): dtype is 'f16' | 'bf16' | 'int8' {
  return dtype === 'f16' || dtype === 'bf16' || dtype === 'int8';
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

export function show(shape: readonly Axis[]): string {
  return `[${shape.join(', ')}]`;
}
