// use: index
// y = x weight^T + bias for a few rows of x and few inputs: nothing to share. A thread is one output of one row.
// `weights-*.wgsl` in front says how the weight lies.
struct Params {
  outputs: u32, inputs: u32, pitch: u32, batch: u32, xOffset: u32, xStride: u32, yOffset: u32, yStride: u32, hasBias: u32,
}
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, n) * 64u + i;
  let output = thread % p.outputs;
  let row = thread / p.outputs;
  if (row >= p.batch) { return; }
  let at = (p.xOffset + row * p.xStride) / 4u;
  var sum = 0.0;
  for (var quad = 0u; 4u * quad < p.inputs; quad++) { sum += dot(x[at + quad], weight4(output, p.pitch, quad, p.inputs)); }
  if (p.hasBias > 0u) { sum += bias[output]; }
  y[p.yOffset + row * p.yStride + output] = sum;
}
