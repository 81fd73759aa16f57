// Gradients of weight and bias of the causal convolution, summed over blocks of tokens -> [blocks, D, W + 1], the bias last;
// column-sum.wgsl adds the blocks. g is dy times the slope of the activation.
// A thread is one channel of one block: it reads each g once and keeps the W + 1 sums in registers.
const W: u32 = 4u;
const HAS_STATE: bool = false;
const HAS_SEQ: bool = false;
struct Params { length: u32, channels: u32, block: u32, blocksARow: u32 }
@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<f32>;
@group(0) @binding(3) var<storage, read> seq: array<i32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * 64u + i;
  let b = w.y / p.blocksARow;
  if (d >= p.channels) { return; }
  let start = w.y % p.blocksARow * p.block;
  let end = min(start + p.block, p.length);
  var total: array<f32, W + 1u>;
  for (var t = start; t < end; t++) {
    let value = g[(b * p.length + t) * p.channels + d];
    total[W] += value;
    for (var k = 0u; k < W; k++) {
      let place = t + k;
      var input = 0.0;
      if (place >= W - 1u) {
        let token = b * p.length + place - (W - 1u);
        input = x[token * p.channels + d];
        if (HAS_SEQ) { if (seq[token] != seq[b * p.length + t]) { input = 0.0; } }
      } else if (HAS_STATE) {
        input = before[(b * (W - 1u) + place) * p.channels + d];
        if (HAS_SEQ) { if (seq[b * p.length] != seq[b * p.length + t]) { input = 0.0; } }
      }
      total[k] += value * input;
    }
  }
  for (var k = 0u; k <= W; k++) { sums[(w.y * p.channels + d) * (W + 1u) + k] = total[k]; }
}
