// use: scan
// B and C of some tokens in workgroup memory, or, where they are constant, in the thread.
const B_CONSTANT: bool = false;
const C_CONSTANT: bool = false;
const TILE: u32 = 16u;
@group(0) @binding(2) var<storage, read> B: array<f32>;
@group(0) @binding(3) var<storage, read> C: array<f32>;
@group(0) @binding(8) var<uniform> p: Params;
var<workgroup> tileB: array<vec4f, TILE * Q * PARTS>;
var<workgroup> tileC: array<vec4f, TILE * Q * PARTS>;
var<private> ownB: array<C4, Q>;
var<private> ownC: array<C4, Q>;
var<private> nextB: vec4f;
var<private> nextC: vec4f;

fn quadB(at: u32, n: u32, part: u32) -> vec4f {
  var v = ZERO;
  if (part == 1u && p.bIm == NONE) { return v; }
  for (var j = 0u; j < 4u; j++) {
    if (n + j < p.states) { v[j] = B[at + n + j + part * p.bIm]; }
  }
  return v;
}

fn quadC(at: u32, n: u32, part: u32) -> vec4f {
  var v = ZERO;
  if (part == 1u && p.cIm == NONE) { return v; }
  for (var j = 0u; j < 4u; j++) {
    if (n + j < p.states) { v[j] = C[at + n + j + part * p.cIm]; }
  }
  return v;
}

// Constant coefficients of block k.
fn takeOwn(k: u32, d: u32) {
  for (var q = 0u; q < Q; q++) {
    let n = 4u * (k * Q + q);
    if (B_CONSTANT) {
      ownB[q].re = quadB(p.bOffset + d * p.states, n, 0u);
      if (COMPLEX) { ownB[q].im = quadB(p.bOffset + d * p.states, n, 1u); }
    }
    if (C_CONSTANT) {
      ownC[q].re = quadC(p.cOffset + d * p.states, n, 0u);
      if (COMPLEX) { ownC[q].im = quadC(p.cOffset + d * p.states, n, 1u); }
    }
  }
}

// This thread's part of the tile from token t0 on, a quad: a tile is at most WG of them.
fn fetch(k: u32, t0: u32, end: u32, b: u32, group: u32, i: u32) {
  let t = t0 + i / (Q * PARTS);
  if (i >= TILE * Q * PARTS || t >= end) { return; }
  let n = 4u * (k * Q + i % Q);
  let part = i / Q % PARTS;
  if (!B_CONSTANT) { nextB = quadB(p.bOffset + b * p.bBatch + group * p.bGroups / p.groups * p.bGroup + t * p.bToken, n, part); }
  if (!C_CONSTANT) { nextC = quadC(p.cOffset + b * p.cBatch + group * p.cGroups / p.groups * p.cGroup + t * p.cToken, n, part); }
}

// What was fetched becomes the tile. Called by the whole workgroup.
fn stage(i: u32) {
  if (B_CONSTANT && C_CONSTANT) { return; }
  workgroupBarrier();
  if (i < TILE * Q * PARTS) {
    if (!B_CONSTANT) { tileB[i] = nextB; }
    if (!C_CONSTANT) { tileC[i] = nextC; }
  }
  workgroupBarrier();
}

fn coefficientB(token: u32, q: u32) -> C4 {
  if (B_CONSTANT) { return ownB[q]; }
  if (COMPLEX) { return C4(tileB[token * Q * PARTS + q], tileB[(token * PARTS + 1u) * Q + q]); }
  return C4(tileB[token * Q + q], ZERO);
}

fn coefficientC(token: u32, q: u32) -> C4 {
  if (C_CONSTANT) { return ownC[q]; }
  if (COMPLEX) { return C4(tileC[token * Q * PARTS + q], tileC[(token * PARTS + 1u) * Q + q]); }
  return C4(tileC[token * Q + q], ZERO);
}
