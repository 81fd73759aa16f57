// Brings a [lane, channel] gradient, the sums of scan-backward over all chunks, into the [channel, state] of its parameter.
// `first` is the lane where it begins, `lanes` those of a block, `width` the states of a block. A thread is one number.
struct Params { channels: u32, states: u32, first: u32, lanes: u32, width: u32 }
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = w.x * 64u + i;
  let d = thread / p.states;
  let n = thread % p.states;
  if (d >= p.channels) { return; }
  let lane = n / p.width * p.lanes + p.first + n % p.width;
  y[thread] = sums[lane * p.channels + d];
}
