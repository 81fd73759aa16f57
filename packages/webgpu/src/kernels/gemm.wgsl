// C = A B^T (+ bias, + C): A(m, k) from `a`, B(n, k) from the weight, each stored with k along its rows, or across them
// (A_ACROSS, B_ACROSS) as the two gradients need. Sums in f32, whatever the weight's type.
// A workgroup is a square tile of C with SIDE rows, in steps of 16 along k: it brings the tile's strips of A and B into
// workgroup memory, turned so that four neighbours along m or n are one load. A thread owns 8 x 8 of the tile (WIDE; as four
// blocks of 4 x 4, so that neighbours read neighbours) or 4 x 4. At most 16 KiB: SIDE 128.
// A small C from a long k is cut along k too: workgroup z sums its slice into the z-th [m, n] of c, and others add those up.
const WIDE: bool = true;
const THREADS: u32 = 8u; // a side of the square of threads
const A_ACROSS: bool = false;
const B_ACROSS: bool = false;
struct Params { m: u32, n: u32, k: u32, aOffset: u32, aStride: u32, bPitch: u32, cOffset: u32, cStride: u32, hasBias: u32, add: u32, slice: u32 }
@group(0) @binding(2) var<storage, read> a: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;
const STEP: u32 = 16u;
const QUADS: u32 = THREADS * select(1u, 2u, WIDE);
const SIDE: u32 = 4u * QUADS;
const BLOCKS: u32 = QUADS * STEP / 4u;
var<workgroup> stripA: array<vec4f, STEP * QUADS>;
var<workgroup> stripB: array<vec4f, STEP * QUADS>;

fn a4(row: u32, quad: u32, rows: u32, columns: u32) -> vec4f {
  if (row >= rows || 4u * quad >= columns) { return vec4f(); }
  return a[(p.aOffset + row * p.aStride) / 4u + quad];
}

fn b4(row: u32, quad: u32, rows: u32, columns: u32) -> vec4f {
  if (row >= rows) { return vec4f(); }
  return weight4(row, p.bPitch, quad, columns);
}

// Four rows of four along k, or, turned, four along m for each of four k.
fn blockA(quad: u32, kQuad: u32) -> mat4x4f {
  if (A_ACROSS) {
    return mat4x4f(a4(4u * kQuad, quad, p.k, p.m), a4(4u * kQuad + 1u, quad, p.k, p.m),
      a4(4u * kQuad + 2u, quad, p.k, p.m), a4(4u * kQuad + 3u, quad, p.k, p.m));
  }
  return transpose(mat4x4f(a4(4u * quad, kQuad, p.m, p.k), a4(4u * quad + 1u, kQuad, p.m, p.k),
    a4(4u * quad + 2u, kQuad, p.m, p.k), a4(4u * quad + 3u, kQuad, p.m, p.k)));
}

fn blockB(quad: u32, kQuad: u32) -> mat4x4f {
  if (B_ACROSS) {
    return mat4x4f(b4(4u * kQuad, quad, p.k, p.n), b4(4u * kQuad + 1u, quad, p.k, p.n),
      b4(4u * kQuad + 2u, quad, p.k, p.n), b4(4u * kQuad + 3u, quad, p.k, p.n));
  }
  return transpose(mat4x4f(b4(4u * quad, kQuad, p.n, p.k), b4(4u * quad + 1u, kQuad, p.n, p.k),
    b4(4u * quad + 2u, kQuad, p.n, p.k), b4(4u * quad + 3u, kQuad, p.n, p.k)));
}

fn outer(x: vec4f, y: vec4f, sum: mat4x4f) -> mat4x4f {
  return mat4x4f(fma(vec4f(x.x), y, sum[0]), fma(vec4f(x.y), y, sum[1]), fma(vec4f(x.z), y, sum[2]), fma(vec4f(x.w), y, sum[3]));
}

fn store(sum: mat4x4f, rowQuad: u32, columnQuad: u32, cOffset: u32) {
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * rowQuad + i;
    if (row >= p.m) { return; }
    for (var j = 0u; j < 4u; j++) {
      let column = 4u * columnQuad + j;
      if (column >= p.n) { break; }
      var value = sum[i][j];
      if (p.hasBias > 0u) { value += bias[column]; }
      let at = cOffset + row * p.cStride + column;
      if (p.add > 0u) { value += c[at]; }
      c[at] = value;
    }
  }
}

@compute @workgroup_size(THREADS * THREADS)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let tx = i % THREADS;
  let ty = i / THREADS;
  var s00 = mat4x4f();
  var s01 = mat4x4f();
  var s10 = mat4x4f();
  var s11 = mat4x4f();
  let end = min((w.z + 1u) * p.slice, p.k);
  for (var k = w.z * p.slice; k < end; k += STEP) {
    workgroupBarrier();
    for (var e = i; e < 2u * BLOCKS; e += THREADS * THREADS) {
      let block = e % BLOCKS;
      if (e < BLOCKS) {
        let quad = select(block / 4u, block % QUADS, A_ACROSS);
        let kQuad = select(block % 4u, block / QUADS, A_ACROSS);
        let values = blockA(w.y * QUADS + quad, k / 4u + kQuad);
        for (var j = 0u; j < 4u; j++) { stripA[(4u * kQuad + j) * QUADS + quad] = values[j]; }
      } else {
        let quad = select(block / 4u, block % QUADS, B_ACROSS);
        let kQuad = select(block % 4u, block / QUADS, B_ACROSS);
        let values = blockB(w.x * QUADS + quad, k / 4u + kQuad);
        for (var j = 0u; j < 4u; j++) { stripB[(4u * kQuad + j) * QUADS + quad] = values[j]; }
      }
    }
    workgroupBarrier();
    for (var j = 0u; j < STEP; j++) {
      let x0 = stripA[j * QUADS + ty];
      let y0 = stripB[j * QUADS + tx];
      s00 = outer(x0, y0, s00);
      if (WIDE) {
        let x1 = stripA[j * QUADS + THREADS + ty];
        let y1 = stripB[j * QUADS + THREADS + tx];
        s01 = outer(x0, y1, s01);
        s10 = outer(x1, y0, s10);
        s11 = outer(x1, y1, s11);
      }
    }
  }
  let row = w.y * QUADS + ty;
  let column = w.x * QUADS + tx;
  let cOffset = p.cOffset + w.z * p.m * p.cStride;
  store(s00, row, column, cOffset);
  if (WIDE) {
    store(s01, row, column + THREADS, cOffset);
    store(s10, row + THREADS, column, cOffset);
    store(s11, row + THREADS, column + THREADS, cOffset);
  }
}
