// How a row's cells are cut into splits, for kernels of attention that declare
//   kSplit: cells of a split; kSplits: the most splits there are. Of a longer row, splits are multiples of kSplit.

fn split_of(cells: u32) -> u32 {
  return kSplit * max(1u, (cells + kSplit * kSplits - 1u) / (kSplit * kSplits));
}
