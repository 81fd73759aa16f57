// use: index
// dweight[id] = sum of dy over the tokens with this id, into a table of zeros of which this part has the rows `first` to
// `first + count`. A thread is one channel of a token; it works if the token is the first with its id, and follows the links.
struct Params { tokens: u32, channels: u32, first: u32, count: u32 }
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> links: array<u32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, n) * 64u + i;
  let t = thread / p.channels;
  let d = thread % p.channels;
  if (t >= p.tokens) { return; }
  let row = ids[t] - p.first;
  if (row >= p.count || links[p.tokens + t] == 0u) { return; }
  var sum = 0.0;
  for (var next = t; next < p.tokens; next = links[next]) { sum += dy[next * p.channels + d]; }
  dweight[row * p.channels + d] = sum;
}
