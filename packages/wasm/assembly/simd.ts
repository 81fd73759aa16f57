/*
 * What every kernel builds on: fused multiply-add, horizontal sums, transposes, and the elementary functions on four
 * lanes.
 *
 * The polynomials are minimax fits. Their constants live in memory, not in the code: V8 rebuilds a `v128.const` from
 * general registers wherever it is used (three instructions, also inside loops), where a load costs one.
 */
import { CONSTANTS } from '../src/layout';

/** a * b + c: one rounding with relaxed SIMD on a processor that has FMA, two otherwise. */
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c - a * b */
@inline export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

@inline function at(index: i32): v128 {
  return v128.load(CONSTANTS + (index << 4));
}

@inline export function one(): v128 {
  return at(0);
}
/** 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits. */
@inline export function magic(): v128 {
  return at(1);
}
@inline export function exp2Low(): v128 {
  return at(2);
}
@inline export function exp2High(): v128 {
  return at(3);
}
/**
 * 2^f = 1 + f * (k1 + f * (k2 + ...)) on [-1/2, 1/2]: k1 to k5, of a polynomial that is within 1.1 units of the last place, 1.8 as
 * it is computed. Without fused multiply-add that would be 2.1: there k6 goes with them, 0.04 and 1.1.
 */
@inline export function exp2Constant(k: i32): v128 {
  return at(3 + k);
}
@inline export function exp2Sixth(): v128 {
  return at(30);
}
/** 2^112, which makes a half's bits, moved to where a float's are, the half's value. */
@inline export function halfScale(): v128 {
  return at(24);
}

/** Sign, exponent and mantissa of a half, where a float has them. */
@inline export function halfMask(): v128 {
  return at(26);
}
@inline export function upperHalves(): v128 {
  return at(27);
}
/** 2^13 in the lower halves, nothing in the upper ones. */
@inline export function two13(): v128 {
  return at(32);
}
@inline export function infinity(): v128 {
  return at(29);
}

function put(index: i32, value: f32): void {
  v128.store(CONSTANTS + (index << 4), f32x4.splat(value));
}

/** Writes the constants: once, by the thread that owns the memory. */
export function initConstants(): void {
  put(0, 1);
  put(1, 12582912);
  // exp2: where its result is a normal number.
  put(2, -126);
  put(3, 127.99999);
  if (ASC_FEATURE_RELAXED_SIMD) {
    put(4, 0.693146824836731);
    put(5, 0.24022237956523895);
    put(6, 0.05550896003842354);
    put(7, 0.009671720676124096);
    put(8, 0.0013224551221355796);
  } else {
    put(4, 0.6931471824645996);
    put(5, 0.24022646248340607);
    put(6, 0.05550359562039375);
    put(7, 0.009618652053177357);
    put(8, 0.0013390980893746018);
    put(30, 0.00015291997988242656);
  }
  // exp: e^f = 1 + f (k1 + f (k2 + ...)) on [-ln2/2, ln2/2], within 0.04 units of the last place, 1.01 as it is computed.
  put(9, -87.33654);
  put(10, 88.72283);
  put(11, 1.4426950408889634);
  // ln 2 in two parts, the first with few enough bits that n * ln2 is exact.
  put(12, 0.693359375);
  put(13, -2.12194440e-4);
  put(14, 1);
  put(15, 0.49999991059303284);
  put(16, 0.1666652113199234);
  put(17, 0.04166889190673828);
  put(18, 0.00836868491023779);
  put(31, 0.0013789539225399494);
  // log1p(w) = 2 s (1 + s^2 (k1 + s^2 (k2 + ...))), s = w / (2 + w), for w in [0, 1]; relative error 4.5e-9.
  put(19, 2);
  put(20, 0.3333320915699005);
  put(21, 0.2001076340675354);
  put(22, 0.14000898599624634);
  put(23, 0.1400601714849472);
  put(24, 5.192296858534828e33);
  put(25, -0.0);
  v128.store(CONSTANTS + (26 << 4), i32x4.splat(0x8fffe000));
  v128.store(CONSTANTS + (27 << 4), i32x4.splat(0xffff0000));
  v128.store(CONSTANTS + (32 << 4), i32x4.splat(0x2000));
  put(29, Infinity);
}

@inline function expInside(x: v128): v128 {
  const rounded = madd(x, at(11), magic());
  const n = f32x4.sub(rounded, magic());
  let f = nmadd(n, at(12), x);
  f = nmadd(n, at(13), f);
  const p = madd(madd(madd(madd(madd(madd(at(31), f, at(18)), f, at(17)), f, at(16)), f, at(15)), f, at(14)), f, one());
  return i32x4.add(p, i32x4.shl(rounded, 23));
}

/** e^x, error under 2 ulp on [-87.3, 88.7]; saturates outside; NaN stays NaN. */
@inline export function exp4(x: v128): v128 {
  return expInside(f32x4.pmin(f32x4.pmax(x, at(9)), at(10)));
}

/** e^x for x <= 0. */
@inline export function expNegative4(x: v128): v128 {
  return expInside(f32x4.pmax(x, at(9)));
}

/** -|x| */
@inline export function negativeAbs(x: v128): v128 {
  return v128.or(x, at(25));
}

@inline function negative(x: v128): v128 {
  return v128.xor(x, at(25));
}

/** log(1 + w) for w in [0, 1]. */
@inline export function log1p4(w: v128): v128 {
  const s = f32x4.div(w, f32x4.add(w, at(19)));
  const s2 = f32x4.mul(s, s);
  const q = madd(madd(madd(at(23), s2, at(22)), s2, at(21)), s2, at(20));
  const twice = f32x4.add(s, s);
  return madd(f32x4.mul(twice, s2), q, twice);
}

/** log(1 + e^x) = max(x, 0) + log1p(e^-|x|); above 20 that is x to the last bit. */
@inline export function softplus4(x: v128): v128 {
  return f32x4.add(f32x4.pmax(x, f32x4.splat(0)), log1p4(expNegative4(negativeAbs(x))));
}

@inline export function sigmoid4(x: v128): v128 {
  return f32x4.div(one(), f32x4.add(one(), exp4(negative(x))));
}

/** Four vectors to four vectors of lanes: [r][c] -> [c][r], stored at `out`, 16 bytes apart by `stride`. */
@inline export function storeTransposed(
  r0: v128, r1: v128, r2: v128, r3: v128, out: usize, stride: usize,
): void {
  const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(t0, t2, 0, 1, 4, 5));
  v128.store(out + stride, v128.shuffle<f32>(t0, t2, 2, 3, 6, 7));
  v128.store(out + 2 * stride, v128.shuffle<f32>(t1, t3, 0, 1, 4, 5));
  v128.store(out + 3 * stride, v128.shuffle<f32>(t1, t3, 2, 3, 6, 7));
}

/** The sums of the lanes of four vectors, as one vector. */
@inline export function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

/** The sum of the four lanes. */
@inline export function sum(a: v128): f32 {
  const pair = f32x4.add(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/** The first `count` (at least 1, 4 if more) floats at `address`; the other lanes are zero. */
@inline export function loadPart(address: usize, count: i32): v128 {
  return count >= 4 ? v128.load(address) : loadFew(address, count);
}

function loadFew(address: usize, count: i32): v128 {
  let v = v128.load32_zero(address);
  if (count > 1) v = v128.load_lane<f32>(address, v, 1, 4);
  if (count > 2) v = v128.load_lane<f32>(address, v, 2, 8);
  return v;
}

/** Stores the first `count` lanes, likewise. */
@inline export function storePart(address: usize, v: v128, count: i32): void {
  if (count >= 4) v128.store(address, v);
  else storeFew(address, v, count);
}

function storeFew(address: usize, v: v128, count: i32): void {
  v128.store_lane<f32>(address, v, 0);
  if (count > 1) v128.store_lane<f32>(address, v, 1, 4);
  if (count > 2) v128.store_lane<f32>(address, v, 2, 8);
}

@inline export function min(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

/** Copies `bytes` bytes, a multiple of four. (Why not `memory.copy`: build-kernels.mjs.) */
export function copyWords(to: usize, from: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(to + i, v128.load(from + i));
  for (; i < bytes; i += 4) store<u32>(to + i, load<u32>(from + i));
}

export function zeroWords(at: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(at + i, i32x4.splat(0));
  for (; i < bytes; i += 4) store<u32>(at + i, 0);
}
