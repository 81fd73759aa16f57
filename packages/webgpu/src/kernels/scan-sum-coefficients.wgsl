// use: index
// dB, or dC: the sums that the workgroups of scan-backward left, added over the workgroups of each group of the coefficient.
// A thread is one number of the result, [token, group, state] with the strides of the coefficient.
struct Params {
  tokens: u32, length: u32, states: u32, groups: u32, // of the slice, of a row; of the coefficient
  each: u32, stride: u32, // workgroups of a group, and floats that each left a token
  at: u32, block: u32, width: u32, imAt: u32, // first float; of a block of states: floats, states, where the imaginary ones are
  first: u32, batch: u32, token: u32, group: u32, // first row; strides of the result
  hasIm: u32, im: u32, // 1: the imaginary part goes into `im`, 2: into `re`, so far behind the real one
}
@group(0) @binding(0) var<storage, read> scratch: array<f32>;
@group(0) @binding(1) var<storage, read_write> re: array<f32>;
@group(0) @binding(2) var<storage, read_write> im: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, count) * 64u + i;
  let n = thread % p.states;
  let group = thread / p.states % p.groups;
  let token = thread / p.states / p.groups;
  if (token >= p.tokens) { return; }
  let lane = p.at + n / p.width * p.block + n % p.width;
  let start = (token * p.groups + group) * p.each * p.stride + lane;
  var sum = vec2f(0.0);
  for (var j = 0u; j < p.each; j++) {
    sum.x += scratch[start + j * p.stride];
    if (p.hasIm > 0u) { sum.y += scratch[start + j * p.stride + p.imAt]; }
  }
  let to = (p.first + token / p.length) * p.batch + token % p.length * p.token + group * p.group + n;
  re[to] = sum.x;
  if (p.hasIm == 1u) { im[to] = sum.y; }
  if (p.hasIm == 2u) { re[to + p.im] = sum.y; }
}
