// use: index scan
// dB, or dC: the sums that the workgroups of scan-backward left, added over the workgroups of each group of the coefficient.
// A thread is one number of the result, [batch, token, group, state] (with the strides of the coefficient).
const IS_C: bool = false;
const SHARED: u32 = 8u; // quads that a workgroup left a token
const FROM: u32 = 0u;   // the first of this coefficient
const HAS_IM: bool = false;
const INTERLEAVED: bool = false; // the imaginary part lies in `re` too
@group(0) @binding(0) var<storage, read> scratch: array<f32>;
@group(0) @binding(1) var<storage, read_write> re: array<f32>;
@group(0) @binding(2) var<storage, read_write> im: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, count) * 64u + i;
  let groups = select(p.bGroups, p.cGroups, IS_C);
  let n = thread % p.states;
  let group = thread / p.states % groups;
  let token = thread / p.states / groups;
  if (token >= p.batch * p.length) { return; }
  let lane = n / (4u * Q) * SHARED * 4u + 4u * FROM + n % (4u * Q);
  let each = p.groups / groups * p.wide;
  let stride = BLOCKS * SHARED * 4u;
  let start = p.sharedAt + (token * p.groups * p.wide + group * each) * stride + lane;
  var sum = vec2f(0.0);
  for (var j = 0u; j < each; j++) {
    sum.x += scratch[start + j * stride];
    if (HAS_IM) { sum.y += scratch[start + j * stride + 4u * Q]; }
  }
  let b = p.first + token / p.length;
  let t = token % p.length;
  let to = select(
    b * p.bBatch + t * p.bToken + group * p.bGroup,
    b * p.cBatch + t * p.cToken + group * p.cGroup, IS_C) + n;
  re[to] = sum.x;
  if (!HAS_IM) { return; }
  if (INTERLEAVED) { re[to + select(p.bIm, p.cIm, IS_C)] = sum.y; } else { im[to] = sum.y; }
}
