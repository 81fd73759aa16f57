// use: index
// Fills words with one bit pattern. A thread is four words, a workgroup 256 threads.
struct Params { words: u32, bits: u32 }
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@group(0) @binding(1) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let start = workgroupNumber(w, n) * 1024u + i;
  for (var j = 0u; j < 4u; j++) {
    let at = start + 256u * j;
    if (at < p.words) { y[at] = p.bits; }
  }
}
