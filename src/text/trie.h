// Prefixes of token texts: walks a text byte by byte through the tokens that begin so.
//
//   Trie trie;
//   trie.add("hello", 7);
//   trie.walk(text, 3, [](size_t end, int32_t id) { … });   // every token that matches at byte 3, shortest first
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/flat_map.h"

namespace weft {

class Trie {
 public:
  void reserve(size_t bytes) { edges_.reserve(bytes); }
  void add(std::string_view text, int32_t id) {
    if (text.empty()) return;
    uint32_t& first = first_[static_cast<uint8_t>(text[0])];
    if (first == 0) first = new_node();
    uint32_t node = first;
    for (char c : text.substr(1)) {
      const uint64_t key = uint64_t{node} << 8 | static_cast<uint8_t>(c);
      if (const uint32_t* next = edges_.find(key)) {
        node = *next;
      } else {
        const uint32_t fresh = new_node();
        edges_.grow_for_one();
        edges_.insert(key, fresh);
        node = fresh;
      }
    }
    ids_[node] = id;
  }
  bool empty() const { return ids_.size() == 1; }
  bool may_start(char c) const { return first_[static_cast<uint8_t>(c)] != 0; }

  template <class Match>
  void walk(std::string_view text, size_t at, Match match) const {
    uint32_t node = at < text.size() ? first_[static_cast<uint8_t>(text[at])] : 0;
    while (node != 0) {
      ++at;
      if (ids_[node] >= 0) match(at, ids_[node]);
      if (at == text.size()) return;
      const uint32_t* next = edges_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[at]));
      if (!next) return;
      node = *next;
    }
  }

 private:
  uint32_t new_node() {
    ids_.push_back(-1);
    return static_cast<uint32_t>(ids_.size() - 1);
  }

  std::array<uint32_t, 256> first_{};
  FlatMap<uint32_t> edges_;
  std::vector<int32_t> ids_ = {-1};  // by node: the token that ends there
};

}  // namespace weft
