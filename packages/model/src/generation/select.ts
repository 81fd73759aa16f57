/**
 * The k-th largest of some numbers (k from 1), in linear time on average: Hoare's selection. The input is not changed.
 */
export function kthLargest(values: Float64Array, k: number): number {
  const a = values.slice();
  const target = k - 1;
  let low = 0;
  let high = a.length - 1;
  while (low < high) {
    const pivot = a[(low + high) >> 1]!;
    let i = low;
    let j = high;
    // Larger ones to the left.
    while (i <= j) {
      while (a[i]! > pivot) i++;
      while (a[j]! < pivot) j--;
      if (i > j) break;
      const swap = a[i]!;
      a[i++] = a[j]!;
      a[j--] = swap;
    }
    if (target <= j) high = j;
    else if (target >= i) low = i;
    else break;
  }
  return a[target]!;
}
