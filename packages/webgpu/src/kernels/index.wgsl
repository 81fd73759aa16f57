// A long row of workgroups is folded over x and y (at most 65535 each): the number of a workgroup, and of a thread.
fn workgroupNumber(id: vec3u, count: vec3u) -> u32 {
  return id.x + id.y * count.x;
}
