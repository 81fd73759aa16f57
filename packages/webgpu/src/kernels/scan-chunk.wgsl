// use: scan
// First of three dispatches: what a chunk does to the state by itself, from zero, and the sum of its dt (the product of its
// decays is exp(A sum)). REVERSE, for the gradient: what flows out of the chunk's first token towards the past, if nothing
// flows into its last one: q_t = exp(dt A)* (q_{t+1} + k dy C*), k = 2 for complex.
// Design: see scan.wgsl. The coefficients (B, or C) of 16 tokens are brought into workgroup memory, where all channels read
// the same ones; constant coefficients are the thread's own. What the next four tokens and the next tile need is read before
// these are computed.
const REVERSE: bool = false;
const CONSTANT: bool = false;
const PACKED: bool = false; // there are sequence indices
const TILE: u32 = 16u;
@group(0) @binding(0) var<storage, read> x: array<f32>; // u, or dy
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(2) var<storage, read> A: array<f32>; // [D, N], and the imaginary part behind it
@group(0) @binding(3) var<storage, read> coefficients: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> skip: array<f32>;
@group(0) @binding(6) var<storage, read> seq: array<i32>;
@group(0) @binding(7) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(8) var<uniform> p: Params;
var<workgroup> tile: array<vec4f, TILE * Q * PARTS>;

fn coefficient4(at: u32, n: u32, part: u32, im: u32) -> vec4f {
  var v = ZERO;
  if (part == 1u && im == NONE) { return v; }
  for (var j = 0u; j < 4u; j++) {
    if (n + j < p.states) { v[j] = coefficients[at + n + j + part * im]; }
  }
  return v;
}

fn A4(d: u32, n: u32, part: u32) -> vec4f {
  var v = ZERO;
  for (var j = 0u; j < 4u; j++) {
    if (n + j < p.states) { v[j] = A[(part * p.channels + d) * p.states + n + j]; }
  }
  return v;
}

// Of four tokens. What lies behind the end is some other number, and masked where it is used.
fn x4At(at: u32) -> vec4f {
  let D = p.channels;
  return vec4f(x[at], x[at + D], x[at + 2u * D], x[at + 3u * D]);
}

fn delta4At(at: u32) -> vec4f {
  let D = p.channels;
  return vec4f(delta[at], delta[at + D], delta[at + 2u * D], delta[at + 3u * D]);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let place = placeOf(w.x, i);
  let d = place.channel;
  let b = p.first + w.z;
  let D = p.channels;
  let start = w.y * p.chunk;
  let end = min(start + p.chunk, p.length);
  let tiles = (end - start + TILE - 1u) / TILE;
  let packs = !REVERSE && w.y == 0u && w.z == 0u && place.live;
  let offset = select(p.bOffset, p.cOffset, REVERSE);
  let im = select(p.bIm, p.cIm, REVERSE);
  let shared_ = offset + select(
    b * p.bBatch + place.group * p.bGroups / p.groups * p.bGroup,
    b * p.cBatch + place.group * p.cGroups / p.groups * p.cGroup, REVERSE);
  let token = select(p.bToken, p.cToken, REVERSE);
  var dBias = 0.0;
  if (has(BIAS)) { dBias = bias[d]; }

  for (var k = 0u; k < p.blocks; k++) {
    var aR: array<vec4f, Q>;
    var aI: array<vec4f, IMS>;
    var ownR: array<vec4f, Q>;
    var ownI: array<vec4f, IMS>;
    var hR = array<vec4f, Q>();
    var hI = array<vec4f, IMS>();
    for (var q = 0u; q < Q; q++) {
      let n = 4u * (k * Q + q);
      aR[q] = A4(d, n, 0u);
      if (COMPLEX) { aI[q] = A4(d, n, 1u); }
      if (CONSTANT) {
        ownR[q] = coefficient4(offset + d * p.states, n, 0u, im);
        if (COMPLEX) { ownI[q] = coefficient4(offset + d * p.states, n, 1u, im); }
      }
      if (packs) {
        for (var j = 0u; j < 4u; j++) {
          let lane = p.packedAt + (k * LANES + 4u * q + j) * D + d;
          scratch[lane] = aR[q][j];
          if (COMPLEX) { scratch[lane + 4u * Q * D] = aI[q][j]; }
        }
      }
      aR[q] = held(aR[q]);
    }
    var sum = 0.0;
    var ends = false;
    // Of the tile, a quad a thread: it is at most WG of them.
    let ownToken = i / (Q * PARTS);
    let ownN = 4u * (k * Q + i % Q);
    let ownPart = i / Q % PARTS;
    let first = start + select(0u, (tiles - 1u) * TILE, REVERSE);
    var tileNext = ZERO;
    if (!CONSTANT && i < TILE * Q * PARTS && first + ownToken < end) {
      tileNext = coefficient4(shared_ + (first + ownToken) * token, ownN, ownPart, im);
    }
    // Four tokens, from the first or (REVERSE) the last of the chunk on.
    let from_ = start + select(0u, (end - start - 1u) / 4u * 4u, REVERSE);
    var at4 = (b * p.length + from_) * D + d;
    var xNext = x4At(at4);
    var deltaNext = delta4At(at4);
    for (var step = 0u; step < tiles; step++) {
      let t0 = start + TILE * select(step, tiles - 1u - step, REVERSE);
      if (!CONSTANT) {
        workgroupBarrier();
        if (i < TILE * Q * PARTS) { tile[i] = tileNext; }
        workgroupBarrier();
        let t = select(t0 + TILE, t0 - TILE, REVERSE) + ownToken;
        if (i < TILE * Q * PARTS && step + 1u < tiles && t < end) {
          tileNext = coefficient4(shared_ + t * token, ownN, ownPart, im);
        }
      }
      for (var s = 0u; s < TILE; s += 4u) {
        let t4 = t0 + select(s, TILE - 4u - s, REVERSE);
        if (t4 >= end) { continue; }
        var x4 = xNext;
        var dt4 = timeStep(deltaNext + dBias);
        if (t4 + 4u > end) {
          // Behind the end no time passes and nothing comes in: the state stays.
          let inside = vec4u(t4) + vec4u(0u, 1u, 2u, 3u) < vec4u(end);
          x4 = select(ZERO, x4, inside);
          dt4 = select(ZERO, dt4, inside);
        }
        let dtx4 = dt4 * x4;
        at4 = (b * p.length + select(t4 + 4u, max(t4, start + 4u) - 4u, REVERSE)) * D + d;
        xNext = x4At(at4);
        deltaNext = delta4At(at4);
        for (var j = 0u; j < 4u; j++) {
          let o = select(j, 3u - j, REVERSE);
          let t = t4 + o;
          let dt = dt4[o];
          var clear = false;
          if (PACKED) {
            if (t > 0u && t < end) { clear = seq[b * p.length + t] != seq[b * p.length + t - 1u]; }
          }
          for (var q = 0u; q < Q; q++) {
            var a = C4(aR[q], ZERO);
            var h = C4(hR[q], ZERO);
            var c = C4(ownR[q], ZERO);
            if (!CONSTANT) { c.re = tile[(t - t0) * Q * PARTS + q]; }
            if (COMPLEX) {
              a.im = aI[q];
              h.im = hI[q];
              c.im = ownI[q];
              if (!CONSTANT) { c.im = tile[((t - t0) * PARTS + 1u) * Q + q]; }
            }
            let turn = scaled(a, dt);
            let e = decayOf(turn);
            if (REVERSE) {
              h = conj(decayed(conj(add(h, scaled(conj(c), x4[o] * f32(PARTS)))), turn, e));
              if (PACKED && clear) { h = C4(ZERO, ZERO); }
            } else {
              h = decayed(h, turn, e);
              if (PACKED && clear) { h = C4(ZERO, ZERO); }
              h = add(h, fed(c, turn, e, dtx4[o]));
            }
            hR[q] = h.re;
            if (COMPLEX) { hI[q] = h.im; }
          }
          sum += dt;
          if (PACKED) { ends = ends || clear; }
        }
      }
    }
    if (place.live) {
      let at = select(p.statesAt, p.reverseAt, REVERSE) + ((w.z * p.chunks + w.y) * p.blocks + k) * LANES * D + d;
      for (var q = 0u; q < Q; q++) {
        for (var j = 0u; j < 4u; j++) {
          scratch[at + (4u * q + j) * D] = hR[q][j];
          if (COMPLEX) { scratch[at + (4u * (Q + q) + j) * D] = hI[q][j]; }
        }
      }
      if (k == 0u && !REVERSE) {
        if (ends) { sum = RESET; }
        scratch[p.sumsAt + (w.z * p.chunks + w.y) * D + d] = sum;
      }
    }
  }
  if (packs) {
    let at = p.packedAt + p.blocks * LANES * D + d;
    if (has(BIAS)) { scratch[at] = dBias; }
    if (has(SKIP)) { scratch[at + D] = skip[d]; }
  }
}
