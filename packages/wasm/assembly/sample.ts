/*
 * The next token of each row of logits. Two passes over all of them, blocks of 64 at a time: the largest of each block; then, with
 * the largest of all known, the sums of e^(x - largest) and of the weights e^((x - largest) / temperature) of each block. What is
 * left needs few of the logits: without filters a token is drawn among the blocks, then in one; with filters those that may stay are
 * listed, in the order of their ids, and from then on the list is all there is.
 *
 * Of each row the workspace holds: the largest of each block [blocks], the weights of each [blocks] f64, and the sums of each part
 * [parts] f64.
 */
import { int, num, ptr } from './args';
import { maximum } from './cross-entropy';
import { exp4, min, sum, zeroWords } from './simd';

const BLOCK: i32 = 64;
/** Blocks of a part: what a piece of the passes over all logits computes. */
const PART: i32 = 128;
/** Of the scratch memory: the weights of a block, a table, and, if there are filters, the list: keys, weights and ids [vocabulary]. */
const TABLE: usize = 256;
const LIST: usize = 256 + 4096;
/** Where weights vanish: what `exp4` saturates below. */
const LOWEST: f32 = -87.33654;
const EVERYTHING: i32 = i32.MAX_VALUE;

let _x: usize = 0;
let _blocks: i32 = 0;
let _tops: usize = 0;
let _weights: usize = 0;
let _sums: usize = 0;

@inline function blocksOf(vocabulary: i32): i32 {
  return (vocabulary + BLOCK - 1) / BLOCK;
}

@inline function partsOf(vocabulary: i32): i32 {
  return (blocksOf(vocabulary) + PART - 1) / PART;
}

/** 0 logits, 1 workspace, 2 V, 3 vocabulary, 4 bytes of a row's workspace. */
function enter(row: i32): void {
  _x = ptr(0) + (<usize>row * int(2) << 2);
  _blocks = blocksOf(int(3));
  _tops = ptr(1) + <usize>row * int(4);
  _weights = _tops + (<usize>(_blocks + 15 & ~15) << 2);
  _sums = _weights + (<usize>_blocks << 3);
}

@inline function blockAt(block: i32): usize {
  return _x + (<usize>(block * BLOCK) << 2);
}

@inline function sizeOf(block: i32): i32 {
  return min(BLOCK, int(3) - block * BLOCK);
}

/** Four logits; impossible ones where there are fewer. */
@inline function four(x: usize, count: i32): v128 {
  return count >= 4 ? v128.load(x) : few(x, count);
}

function few(x: usize, count: i32): v128 {
  let v = v128.load_lane<f32>(x, f32x4.splat(-Infinity), 0);
  if (count > 1) v = v128.load_lane<f32>(x + 4, v, 1);
  if (count > 2) v = v128.load_lane<f32>(x + 8, v, 2);
  return v;
}

/** e^((x - top) / temperature), nothing where that is too small for a float. */
@inline function weigh(x: v128, top: v128, inverse: v128): v128 {
  const t = f32x4.mul(f32x4.sub(x, top), inverse);
  return v128.andnot(exp4(t), f32x4.lt(t, f32x4.splat(LOWEST)));
}

/** The largest of each block of a part, NaN if one is. A piece: a part of a row. */
export function sampleTops(piece: i32, scratch: usize): void {
  const parts = partsOf(int(3));
  enter(piece / parts);
  const first = piece % parts * PART;
  for (let block = first, end = min(_blocks, first + PART); block < end; block++) {
    store<f32>(_tops + (<usize>block << 2), maximum(blockAt(block), sizeOf(block)));
  }
}

/** The sums of a part: of all at temperature 1, and, unless num(0), 1 / temperature, is 0, of the weights of each block. A piece: a part of a row. */
export function sampleSums(piece: i32, scratch: usize): void {
  const parts = partsOf(int(3));
  enter(piece / parts);
  const part = piece % parts;
  const top = f32x4.splat(maximum(_tops, _blocks));
  const inverse = f32x4.splat(num(0));
  const one = f32x4.splat(1);
  const draws = num(0) != 0, tempered = draws && num(0) != 1;
  let total: f64 = 0;
  for (let block = part * PART, end = min(_blocks, (part + 1) * PART); block < end; block++) {
    const x = blockAt(block), count = sizeOf(block);
    let acc = f32x4.splat(0), weight = acc;
    for (let i = 0; i < count; i += 4) {
      const v = four(x + (<usize>i << 2), count - i);
      acc = f32x4.add(acc, weigh(v, top, one));
      if (tempered) weight = f32x4.add(weight, weigh(v, top, inverse));
    }
    const all = <f64>sum(acc);
    total += all;
    if (draws) store<f64>(_weights + (<usize>block << 3), tempered ? <f64>sum(weight) : all);
  }
  store<f64>(_sums + (<usize>part << 3), total);
}

/** The weights of a block to `out`, whole vectors. */
function weighBlock(block: i32, top: f32, inverse: f32, out: usize): void {
  const x = blockAt(block), count = sizeOf(block);
  for (let i = 0; i < count; i += 4) {
    v128.store(out + (<usize>i << 2), weigh(four(x + (<usize>i << 2), count - i), f32x4.splat(top), f32x4.splat(inverse)));
  }
}

/** The first where the sum of weights, `before` what is ahead of them, is more than `target`; else the last that has any. */
function draw(weights: usize, count: i32, before: f64, target: f64): i32 {
  let last = 0;
  for (let i = 0; i < count; i++) {
    const weight = <f64>load<f32>(weights + (<usize>i << 2));
    if (weight == 0) continue;
    last = i;
    before += weight;
    if (before > target) break;
  }
  return last;
}

/** The first of the largest. */
function largest(top: f32): i32 {
  let block = 0;
  while (load<f32>(_tops + (<usize>block << 2)) != top) block++;
  const x = blockAt(block);
  let i = 0;
  while (load<f32>(x + (<usize>i << 2)) != top) i++;
  return block * BLOCK + i;
}

function drawAnywhere(number: f64, total: f64, top: f32, inverse: f32, scratch: usize): i32 {
  const target = number * total;
  let before: f64 = 0, block = 0;
  for (; block < _blocks - 1; block++) {
    const next = before + load<f64>(_weights + (<usize>block << 3));
    if (next > target) break;
    before = next;
  }
  weighBlock(block, top, inverse, scratch);
  return block * BLOCK + draw(scratch, sizeOf(block), before, target);
}

/** A number that is ordered as the logits are. */
@inline function keyOf(x: f32): u32 {
  // So that the two zeros are equal.
  const bits = reinterpret<i32>(x + 0);
  return bits ^ (bits >> 31 | i32.MIN_VALUE);
}

/** A list of so many keys, weights and ids, each `room` words long at `list`. */
@inline function keyAt(list: usize, i: i32): usize {
  return list + (<usize>i << 2);
}

/**
 * Keeps of a list the fewest largest that are `count`, or whose weights are `mass` together, the first of equals; returns how many.
 * Digit by digit of the keys, from the highest: `table` is how many begin like the smallest that stays and go on with each digit, and
 * what they weigh.
 */
function keepLargest(list: usize, room: usize, length: i32, count: i32, mass: f64, table: usize): i32 {
  const weights = list + room, ids = weights + room;
  let prefix: u32 = 0, above = 0;
  let heavier: f64 = 0;
  for (let shift = 24; shift >= 0; shift -= 8) {
    zeroWords(table, 4096);
    for (let i = 0; i < length; i++) {
      const key = load<u32>(keyAt(list, i));
      if (shift < 24 && key >> (shift + 8) != prefix) continue;
      const at = table + (<usize>(key >> shift & 255) << 4);
      store<f64>(at, load<f64>(at) + <f64>load<f32>(keyAt(weights, i)));
      store<i32>(at, load<i32>(at, 8) + 1, 8);
    }
    let digit = 255;
    for (; digit > 0; digit--) {
      const at = table + (<usize>digit << 4);
      const more = above + load<i32>(at, 8);
      const weight = heavier + load<f64>(at);
      if (more >= count || weight >= mass) break;
      above = more;
      heavier = weight;
    }
    prefix = prefix << 8 | digit;
  }
  let kept = 0;
  for (let i = 0; i < length; i++) {
    const key = load<u32>(keyAt(list, i));
    if (key < prefix) continue;
    const weight = load<f32>(keyAt(weights, i));
    if (key == prefix) {
      if (above >= count || heavier >= mass) continue;
      above++;
      heavier += <f64>weight;
    }
    store<u32>(keyAt(list, kept), key);
    store<f32>(keyAt(weights, kept), weight);
    store<i32>(keyAt(ids, kept), load<i32>(keyAt(ids, i)));
    kept++;
  }
  return kept;
}

/** Lists what is at least `bound` and weighs at least `floor`. */
function listed(list: usize, room: usize, bound: f32, floor: f32, top: f32, inverse: f32, scratch: usize): i32 {
  const weights = list + room, ids = weights + room;
  let length = 0;
  for (let block = 0; block < _blocks; block++) {
    const highest = load<f32>(_tops + (<usize>block << 2));
    if (highest < bound || f32x4.extract_lane(weigh(f32x4.splat(highest), f32x4.splat(top), f32x4.splat(inverse)), 0) < floor) continue;
    weighBlock(block, top, inverse, scratch);
    const x = blockAt(block);
    for (let i = 0, count = sizeOf(block); i < count; i++) {
      const value = load<f32>(x + (<usize>i << 2)), weight = load<f32>(scratch + (<usize>i << 2));
      if (value < bound || weight < floor || weight == 0) continue;
      store<u32>(keyAt(list, length), keyOf(value));
      store<f32>(keyAt(weights, length), weight);
      store<i32>(keyAt(ids, length), block * BLOCK + i);
      length++;
    }
  }
  return length;
}

/** A bound that at least `count` logits reach: so many blocks have one. */
function boundOf(count: i32, list: usize, room: usize, table: usize): f32 {
  if (count > _blocks) return -Infinity;
  const ids = list + 2 * room;
  for (let block = 0; block < _blocks; block++) {
    store<u32>(keyAt(list, block), keyOf(load<f32>(_tops + (<usize>block << 2))));
    store<i32>(keyAt(ids, block), block);
  }
  let bound: f32 = Infinity;
  for (let i = 0, kept = keepLargest(list, room, _blocks, count, Infinity, table); i < kept; i++) {
    const top = load<f32>(_tops + (<usize>load<i32>(keyAt(ids, i)) << 2));
    if (top < bound) bound = top;
  }
  return bound;
}

function drawFiltered(number: f64, total: f64, top: f32, inverse: f32, scratch: usize): i32 {
  const vocabulary = int(3), topK = int(5);
  const topP = num(1), minP = num(2);
  const table = scratch + TABLE;
  const list = scratch + LIST;
  const room = <usize>vocabulary << 2;
  const bound = topK > 0 ? boundOf(topK, list, room, table) : -Infinity;
  // What is less than its part of the tail cannot be needed: all such weights together are less than the tail.
  let floor: f32 = 0;
  if (topP == 1) floor = minP;
  else if (topK == 0) floor = <f32>(total * (1 - <f64>topP) / vocabulary * 0.999);
  let length = listed(list, room, bound, floor, top, inverse, scratch);
  const weights = list + room;
  if (topK > 0) {
    length = keepLargest(list, room, length, topK, Infinity, table);
    total = 0;
    for (let i = 0; i < length; i++) total += <f64>load<f32>(keyAt(weights, i));
  }
  if (topP < 1) length = keepLargest(list, room, length, EVERYTHING, <f64>topP * total, table);
  let kept: f64 = 0;
  for (let i = 0; i < length; i++) {
    const at = keyAt(weights, i);
    if (load<f32>(at) < minP) store<f32>(at, 0);
    kept += <f64>load<f32>(at);
  }
  return load<i32>(keyAt(weights + room, draw(weights, length, 0, number * kept)));
}

/**
 * 5 topK or 0, 6 uniform or 0, 7 tokens, 8 log-probabilities; num: 0 1 / temperature, 0 for the largest, 1 topP, 2 minP. A piece: a row.
 * Scratch: see TABLE and LIST.
 */
export function sampleChoose(piece: i32, scratch: usize): void {
  enter(piece);
  const top = maximum(_tops, _blocks);
  let token = 0;
  let logprob: f32 = NaN;
  if (abs<f32>(top) < Infinity) {
    let all: f64 = 0;
    for (let part = 0, parts = partsOf(int(3)); part < parts; part++) all += load<f64>(_sums + (<usize>part << 3));
    const inverse = num(0);
    if (inverse == 0) {
      token = largest(top);
    } else {
      const number = <f64>load<f32>(ptr(6) + (<usize>piece << 2));
      let total: f64 = 0;
      for (let block = 0; block < _blocks; block++) total += load<f64>(_weights + (<usize>block << 3));
      token = int(5) > 0 || num(1) < 1 || num(2) > 0
        ? drawFiltered(number, total, top, inverse, scratch)
        : drawAnywhere(number, total, top, inverse, scratch);
    }
    logprob = <f32>(<f64>load<f32>(_x + (<usize>token << 2)) - <f64>top - Math.log(all));
  }
  store<i32>(ptr(7) + (<usize>piece << 2), token);
  store<f32>(ptr(8) + (<usize>piece << 2), logprob);
}
