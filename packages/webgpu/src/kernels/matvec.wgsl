// y = x weight^T + bias for a few rows of x: reading the weights is all the work.
// A workgroup is ROWS outputs; its threads stride over the inputs, eight at a time (16 bytes of halves), so that each x is
// loaded once for ROWS rows. Then the sums of the threads are added (sum-tree.wgsl or sum-subgroups.wgsl, in front).
// `weights-*.wgsl` in front says how the weight lies.
const WG: u32 = 64u;
const ROWS: u32 = 4u; // at most 4
const BATCH: u32 = 1u; // rows of x that share a load of the weights
struct Params {
  outputs: u32, inputs: u32, pitch: u32, batch: u32, xOffset: u32, xStride: u32, yOffset: u32, yStride: u32, hasBias: u32,
}
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

fn x4(row: u32, quad: u32) -> vec4f {
  if (4u * quad >= p.inputs) { return vec4f(); }
  return x[(p.xOffset + min(row, p.batch - 1u) * p.xStride) / 4u + quad];
}

fn work(w: vec3u, n: vec3u, i: u32, lane: Lane) {
  let first = (w.x + w.z * n.x) * ROWS;
  let row = w.y * BATCH;
  var sums: array<vec4f, BATCH>; // of a row of x: one an output
  for (var unit = i; unit < (p.inputs + 7u) / 8u; unit += WG) {
    var a: array<mat2x4f, BATCH>;
    for (var m = 0u; m < BATCH; m++) { a[m] = mat2x4f(x4(row + m, 2u * unit), x4(row + m, 2u * unit + 1u)); }
    for (var r = 0u; r < ROWS; r++) {
      let b = weight8(min(first + r, p.outputs - 1u), p.pitch, unit, p.inputs);
      for (var m = 0u; m < BATCH; m++) { sums[m][r] += dot(a[m][0], b[0]) + dot(a[m][1], b[1]); }
    }
  }
  for (var m = 0u; m < BATCH; m++) {
    let all = total(sums[m], i, lane);
    let output = first + i;
    if (i < ROWS && output < p.outputs && row + m < p.batch) {
      var value = all[i];
      if (p.hasBias > 0u) { value += bias[output]; }
      y[p.yOffset + (row + m) * p.yStride + output] = value;
    }
  }
}
