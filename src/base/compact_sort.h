// Sorting for lists that are sorted once, as tensors of a file: std::sort is 3 KB of code for each type and order, this
// a tenth. Not stable. What is in order already costs one look.
#pragma once

#include <algorithm>
#include <functional>

namespace weft {

template <class List, class Less = std::less<>>
void compact_sort(List& list, Less less = {}) {
  if (std::is_sorted(list.begin(), list.end(), less)) return;
  std::make_heap(list.begin(), list.end(), less);
  std::sort_heap(list.begin(), list.end(), less);
}

}  // namespace weft
