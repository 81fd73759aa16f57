/* f16 and bf16 as bits in a Uint16Array: Node 20 has no Float16Array, and no engine has a bfloat16 one. */

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Widens one IEEE half. */
export function f16ToF32(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds an f32 (other numbers are first rounded to one) to the nearest half, ties to even; overflows to infinity. */
export function f32ToF16(value: number): number {
  f32[0] = value;
  const x = u32[0];
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: a multiple of 2^-24. Adding 2^23 * 2^-24 lets the f32 adder round to it, ties to even.
    f32[0] = Math.abs(f32[0]) + 0.5;
    return sign | (u32[0] - 0x3f000000);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** Widens one bfloat16. */
export function bf16ToF32(bits: number): number {
  u32[0] = bits << 16;
  return f32[0];
}

/** Rounds an f32 (other numbers are first rounded to one) to the nearest bfloat16, ties to even. */
export function f32ToBf16(value: number): number {
  f32[0] = value;
  const x = u32[0];
  if ((x & 0x7fffffff) > 0x7f800000) return (x >>> 16) | 0x40;
  return (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
}

let f16Table: Float32Array | undefined;

/** Widens raw f16 or bf16 bits. */
export function widen(bits: Uint16Array, dtype: 'f16' | 'bf16'): Float32Array {
  const out = new Float32Array(bits.length);
  if (dtype === 'bf16') {
    const raw = new Uint32Array(out.buffer);
    for (let i = 0; i < bits.length; i++) raw[i] = bits[i] << 16;
    return out;
  }
  f16Table ??= Float32Array.from({ length: 65536 }, (_, i) => f16ToF32(i));
  for (let i = 0; i < bits.length; i++) out[i] = f16Table[bits[i]];
  return out;
}

/** Rounds numbers to f16 or bf16 bits. */
export function narrow(values: ArrayLike<number>, dtype: 'f16' | 'bf16'): Uint16Array {
  const round = dtype === 'f16' ? f32ToF16 : f32ToBf16;
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = round(values[i]);
  return out;
}
