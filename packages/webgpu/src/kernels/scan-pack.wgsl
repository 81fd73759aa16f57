// use: scan
// Packs A, deltaBias, D and the initial state into the scratch of a scan in one pass (real A): see scan.wgsl.
// A thread is a channel (of a batch row, for the state).
@group(0) @binding(0) var<storage, read> A: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read> skip: array<f32>;
@group(0) @binding(3) var<storage, read> initial: array<f32>;
@group(0) @binding(4) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * WG + i;
  if (d >= p.channels) { return; }
  let lanes = p.blocks * p.width;
  for (var lane = 0u; lane < lanes; lane++) {
    var a = 0.0;
    var h = 0.0;
    if (lane < p.states) {
      a = A[d * p.states + lane];
      if (has(STATE)) { h = initial[((p.first + w.z) * p.channels + d) * p.states + lane]; }
    }
    if (w.z == 0u) { scratch[p.packedAt + lane * p.channels + d] = a; }
    scratch[p.statesAt + (w.z * lanes + lane) * p.channels + d] = h;
  }
  if (w.z > 0u) { return; }
  let at = p.packedAt + lanes * p.channels + d;
  if (has(BIAS)) { scratch[at] = bias[d]; }
  if (has(SKIP)) { scratch[at + p.channels] = skip[d]; }
}
