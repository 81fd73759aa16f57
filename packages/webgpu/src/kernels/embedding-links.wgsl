// use: index
// For the gradient of a table: links[t] is the next token with the id of token t (or `tokens`), and tokens that another of
// the same id comes before are marked by `links[tokens + t] = 0`. With these each row of the gradient is summed by one owner, in
// order, without atomics. A thread is a token that reads all the ids: they are few against what a layer reads.
struct Params { tokens: u32 }
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> links: array<u32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let t = workgroupNumber(w, n) * 64u + i;
  if (t >= p.tokens) { return; }
  let id = ids[t];
  var owner = 1u;
  for (var other = 0u; other < t; other++) {
    if (ids[other] == id) { owner = 0u; break; }
  }
  var next = t + 1u;
  while (next < p.tokens) {
    if (ids[next] == id) { break; }
    next++;
  }
  links[t] = next;
  links[p.tokens + t] = owner;
}
