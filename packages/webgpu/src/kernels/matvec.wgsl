// y = x weight^T + bias for a few rows of x: reading the weights is all the work.
// A workgroup is ROWS outputs; its threads stride over the inputs, eight at a time (16 bytes of halves), so that each x is
// loaded once for ROWS rows. Then the sums of the threads are added, by subgroups of any size where there are some.
const WG: u32 = 64u;
const ROWS: u32 = 4u;
const BATCH: u32 = 1u; // rows of x that share a load of the weights
const SUBGROUPS: bool = false;
struct Params { outputs: u32, inputs: u32, pitch: u32, batch: u32, xOffset: u32, xStride: u32, yOffset: u32, yStride: u32, hasBias: u32 }
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;
const SUMS: u32 = ROWS * BATCH;
var<workgroup> partial: array<f32, SUMS * WG>;

fn x4(row: u32, quad: u32) -> vec4f {
  if (4u * quad >= p.inputs) { return vec4f(0.0); }
  return x[(p.xOffset + min(row, p.batch - 1u) * p.xStride) / 4u + quad];
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32,
  // subgroup builtins
) {
  let first = (w.x + w.z * n.x) * ROWS;
  let row = w.y * BATCH;
  var sums: array<f32, SUMS>;
  for (var unit = i; unit < (p.inputs + 7u) / 8u; unit += WG) {
    var a: array<mat2x4f, BATCH>;
    for (var m = 0u; m < BATCH; m++) { a[m] = mat2x4f(x4(row + m, 2u * unit), x4(row + m, 2u * unit + 1u)); }
    for (var r = 0u; r < ROWS; r++) {
      let b = weight8(min(first + r, p.outputs - 1u), p.pitch, unit, p.inputs);
      for (var m = 0u; m < BATCH; m++) { sums[r * BATCH + m] += dot(a[m][0], b[0]) + dot(a[m][1], b[1]); }
    }
  }
  for (var s = 0u; s < SUMS; s++) { partial[s * WG + i] = sums[s]; }
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (i < half) {
      for (var s = 0u; s < SUMS; s++) { partial[s * WG + i] += partial[s * WG + i + half]; }
    }
  }
  workgroupBarrier();
  if (i >= SUMS) { return; }
  let output = first + i / BATCH;
  let m = row + i % BATCH;
  if (output >= p.outputs || m >= p.batch) { return; }
  var sum = partial[i * WG];
  if (p.hasBias > 0u) { sum += bias[output]; }
  y[p.yOffset + m * p.yStride + output] = sum;
}
