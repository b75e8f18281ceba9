// The merging loop shared by BPE and SentencePiece's own BPE: while some neighbours can merge, merge the pair of the
// lowest rank, the leftmost of equals. O(n log n): a heap of (rank, position) over a linked list of symbols; words of
// a few symbols are scanned instead, which is several times faster.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace weft {

inline constexpr uint32_t kNoMerge = 0xFFFFFFFF;

struct Merge {
  uint32_t rank = kNoMerge;  // kNoMerge: the pair does not merge
  int32_t id = -1;
};

struct Symbol {
  int32_t id;            // token, or -1 for a text that is no token
  uint32_t begin, size;  // bytes of the word
};

struct MergeScratch {
  struct Node {
    uint32_t previous, next;  // indices; kNoMerge at the ends
    Merge merge;              // with the next
  };
  std::vector<Symbol> symbols;  // in: the initial symbols. Out: the merged ones
  std::vector<Node> nodes;
  std::vector<uint64_t> heap;  // rank << 32 | index
};

// find(const Symbol& left, const Symbol& right) -> Merge.
template <class Find>
void merge_few(std::vector<Symbol>& symbols, Find& find) {
  constexpr size_t kMax = 32;
  Merge merges[kMax];
  size_t n = symbols.size();
  for (size_t i = 0; i + 1 < n; ++i) merges[i] = find(symbols[i], symbols[i + 1]);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i)
      if (merges[i].rank < merges[best].rank) best = i;
    if (merges[best].rank == kNoMerge) break;
    symbols[best].id = merges[best].id;
    symbols[best].size += symbols[best + 1].size;
    --n;
    for (size_t i = best + 1; i < n; ++i) symbols[i] = symbols[i + 1];
    for (size_t i = best + 1; i + 1 < n; ++i) merges[i] = merges[i + 1];
    if (best > 0) merges[best - 1] = find(symbols[best - 1], symbols[best]);
    if (best + 1 < n) merges[best] = find(symbols[best], symbols[best + 1]);
  }
  symbols.resize(n);
}

template <class Find>
void merge_symbols(MergeScratch& scratch, Find find) {
  auto& symbols = scratch.symbols;
  if (symbols.size() < 2) return;
  if (symbols.size() <= 32) return merge_few(symbols, find);
  auto& nodes = scratch.nodes;
  auto& heap = scratch.heap;
  const uint32_t count = static_cast<uint32_t>(symbols.size());
  nodes.resize(count);
  heap.clear();
  for (uint32_t i = 0; i < count; ++i) {
    nodes[i] = {i == 0 ? kNoMerge : i - 1, i + 1 == count ? kNoMerge : i + 1, {}};
    if (i + 1 < count) nodes[i].merge = find(symbols[i], symbols[i + 1]);
    if (nodes[i].merge.rank != kNoMerge) heap.push_back(uint64_t{nodes[i].merge.rank} << 32 | i);
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>{});
  auto look = [&](uint32_t i) {
    const uint32_t next = nodes[i].next;
    nodes[i].merge = next == kNoMerge ? Merge{} : find(symbols[i], symbols[next]);
    if (nodes[i].merge.rank == kNoMerge) return;
    heap.push_back(uint64_t{nodes[i].merge.rank} << 32 | i);
    std::push_heap(heap.begin(), heap.end(), std::greater<>{});
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>{});
    const uint32_t i = static_cast<uint32_t>(heap.back());
    const uint32_t rank = static_cast<uint32_t>(heap.back() >> 32);
    heap.pop_back();
    if (nodes[i].merge.rank != rank) continue;  // an entry from before a neighbour merged
    const uint32_t gone = nodes[i].next;
    symbols[i].id = nodes[i].merge.id;
    symbols[i].size += symbols[gone].size;
    nodes[gone].merge = {};
    nodes[i].next = nodes[gone].next;
    if (nodes[gone].next != kNoMerge) nodes[nodes[gone].next].previous = i;
    look(i);
    if (nodes[i].previous != kNoMerge) look(nodes[i].previous);
  }
  uint32_t out = 0;
  for (uint32_t i = 0; i != kNoMerge; i = nodes[i].next) symbols[out++] = symbols[i];
  symbols.resize(out);
}

}  // namespace weft
